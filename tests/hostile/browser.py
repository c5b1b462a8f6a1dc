"""A browser that sends any request: its user controls cookies, headers and the form token too."""

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
    """``post`` sends a form with a valid token, ``raw`` any body."""

    def __init__(self, site: Site, user: Any = None) -> None:
        self.site = site
        self.cookies = {"csrftoken": TOKEN}
        if user is not None:
            client = Client()
            client.force_login(user)
            self.cookies["sessionid"] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def get(self, path: str, **environ: Any) -> Answer:
        answer = self.site.ask("GET", path, HTTP_COOKIE=self._cookie(), **environ)
        return self._store_session(answer)

    def post(self, path: str, fields: Any = (), **environ: Any) -> Answer:
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        body = urlencode([("csrfmiddlewaretoken", TOKEN), *pairs], errors="surrogatepass").encode()
        return self.raw(path, body, FORM, **environ)

    def raw(self, path: str, body: bytes, content_type: str, **environ: Any) -> Answer:
        headers = {"HTTP_COOKIE": self._cookie(), "HTTP_X_CSRFTOKEN": TOKEN, **environ}
        return self._store_session(self.site.ask("POST", path, body, content_type, **headers))

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _store_session(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name == "Set-Cookie" and value.startswith("sessionid="):
                self.cookies["sessionid"] = value.partition("=")[2].partition(";")[0]
        return answer


def leads_away(address: str) -> bool:
    """Return whether a browser would open another site or run a script.

    Browsers remove control characters and accept backslashes for slashes.
    """
    controls = "".join(map(chr, range(33)))
    corrected = re.sub(r"[\t\r\n]", "", address.strip(controls)).replace("\\", "/")
    if corrected.startswith("//"):
        return True
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", corrected):
        try:
            parts = urlsplit(corrected)
        except ValueError:
            return True
        return parts.scheme not in ("http", "https") or parts.netloc != "testserver"
    return False


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.addresses += [
            value or ""
            for name, value in attributes
            if name in ("href", "src", "action", "formaction")
        ]


def addresses(answer: Answer) -> list[str]:
    """Return the Location of an answer and every address in its page."""
    links = _Links()
    if answer.header("Content-Type").startswith("text/html"):
        links.feed(answer.body.decode())
    return [
        *links.addresses,
        *(value for name, value in answer.headers if name.casefold() in ("location", "refresh")),
    ]
