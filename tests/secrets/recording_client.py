"""A client of the pages, the API and the admin that records every answer."""

from __future__ import annotations

import re
from collections import Counter, deque
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
from processes import Site

from tests.secrets.evidence import SEPARATOR, Evidence

#: Where the login pages show a whole number to the browser that typed it, and nowhere else.
_OWN_NUMBER = re.compile(r'(?<=data-vp-number>)[^<]+|(?<=name="phone" value=")[^"]+')
#: How many pages of one path a crawl opens: a list has one for each value of each filter.
VARIANTS = 2


class RecordingClient:
    """A browser, or a program that keeps cookies."""

    def __init__(self, site: Site, answers: list[Evidence]) -> None:
        self.url = site.web_url
        self.answers = answers
        self.session = requests.Session()

    def get(self, path: str) -> requests.Response:
        return self._record(self.session.get(urljoin(self.url, path), timeout=30))

    def post(self, path: str, **body: Any) -> requests.Response:
        """Send JSON, as programs do."""
        return self._record(self.session.post(urljoin(self.url, path), json=body, timeout=30))

    def submit(self, path: str, **fields: str) -> requests.Response:
        """Send a form of the page at ``path``."""
        page = self.get(path).text
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
        assert token, page
        data = {"csrfmiddlewaretoken": token[1], **fields}
        return self._record(self.session.post(urljoin(self.url, path), data=data, timeout=30))

    def crawl(self, path: str, inside: str) -> set[str]:
        """Open ``path`` and every linked page whose path begins with ``inside``.

        Return the opened paths.
        """
        waiting, opened, variants = deque([path]), {path}, Counter[str]()
        while waiting:
            answer = self.get(waiting.popleft())
            if not answer.headers["Content-Type"].startswith("text/html"):
                continue
            for link in _links(answer.text):
                address = urldefrag(urljoin(answer.url, link))[0].removeprefix(self.url)
                # The link back to a list leads to a page that is opened anyway.
                address = address.partition("?_changelist_filters")[0]
                plain = urlsplit(address).path
                is_new = address not in opened and variants[plain] < VARIANTS
                if is_new and plain.startswith(inside):
                    opened.add(address)
                    variants[plain] += 1
                    waiting.append(address)
        return opened

    def _record(self, answer: requests.Response) -> requests.Response:
        for response in [*answer.history, answer]:
            headers = SEPARATOR.join(
                f"{name}: {value}"
                for name, value in response.headers.items()
                if name != "Content-Length"
            )
            place = f"answer to {response.request.method} {response.request.path_url}"
            text = _OWN_NUMBER.sub("", response.text)
            # The front page of the demo lists the sandbox's magic numbers.
            has_numbers = response.request.path_url == "/"
            self.answers.append(Evidence(place, SEPARATOR.join([headers, text]), has_numbers))
        return answer


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def _links(page: str) -> list[str]:
    parser = _Links()
    parser.feed(page)
    return parser.addresses
