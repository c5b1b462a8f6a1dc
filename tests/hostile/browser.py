"""A browser that is nobody's: it sends what its user wants, cookies and form token too."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.test import Client

from tests.hostile.site import Answer, Site

TOKEN = "a" * 32
FORM = "application/x-www-form-urlencoded"


class Browser:
    """``post("/auth/login/", phone="…")`` with a valid form token; ``raw`` sends a body as it is."""

    def __init__(self, site: Site, user: Any = None) -> None:
        self.site = site
        self.cookies = {"csrftoken": TOKEN}
        if user is not None:
            client = Client()
            client.force_login(user)
            self.cookies["sessionid"] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def get(self, path: str, **environ: Any) -> Answer:
        return self._keep(self.site.ask("GET", path, HTTP_COOKIE=self._cookie(), **environ))

    def post(self, path: str, fields: Any = (), **environ: Any) -> Answer:
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        body = urlencode([("csrfmiddlewaretoken", TOKEN), *pairs], errors="surrogatepass").encode()
        return self.raw(path, body, FORM, **environ)

    def raw(self, path: str, body: bytes, content_type: str, **environ: Any) -> Answer:
        given = {"HTTP_COOKIE": self._cookie(), "HTTP_X_CSRFTOKEN": TOKEN, **environ}
        return self._keep(self.site.ask("POST", path, body, content_type, **given))

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name == "Set-Cookie" and value.startswith("sessionid="):
                self.cookies["sessionid"] = value.partition("=")[2].partition(";")[0]
        return answer


def leaves(address: str) -> bool:
    """Would a browser go to another site, or run a script? Read as browsers do, who mend a lot."""
    mended = re.sub(r"[\t\r\n]", "", address.strip("".join(map(chr, range(33))))).replace("\\", "/")
    if mended.startswith("//"):
        return True
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", mended):
        try:
            return (
                urlsplit(mended).scheme not in ("http", "https")
                or urlsplit(mended).netloc != "testserver"
            )
        except ValueError:
            return True
    return False


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.found += [
            given[name] for name in ("href", "src", "action", "formaction") if name in given
        ]


def addresses(answer: Answer) -> list[str]:
    """Where an answer leads: its Location, and all that its page links to."""
    links = _Links()
    if answer.header("Content-Type").startswith("text/html"):
        links.feed(answer.body.decode())
    return [
        *links.found,
        *(value for name, value in answer.headers if name.casefold() in ("location", "refresh")),
    ]
