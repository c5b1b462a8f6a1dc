"""Whoever asks the site something: by its pages, its API or its admin. All answers are kept."""

from __future__ import annotations

import re
from collections import Counter, deque
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import requests
from processes import Site

from tests.secrets.evidence import APART, Piece

#: Pages of one path that a walk opens: a list has one for each value of each filter.
VARIANTS = 2


class Visitor:
    """A browser, or a program that keeps its cookies."""

    def __init__(self, site: Site, answers: list[Piece]) -> None:
        self.url = site.web_url
        self.answers = answers
        self.session = requests.Session()

    def get(self, path: str) -> requests.Response:
        return self._keep(self.session.get(urljoin(self.url, path), timeout=30))

    def post(self, path: str, **body: Any) -> requests.Response:
        """JSON, as programs send it."""
        return self._keep(self.session.post(urljoin(self.url, path), json=body, timeout=30))

    def submit(self, path: str, **fields: str) -> requests.Response:
        """A form of the page at ``path``."""
        page = self.get(path).text
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
        assert token, page
        data = {"csrfmiddlewaretoken": token[1], **fields}
        return self._keep(self.session.post(urljoin(self.url, path), data=data, timeout=30))

    def walk(self, path: str, inside: str) -> set[str]:
        """Open ``path`` and whatever is linked from there that begins with ``inside``; the paths
        that were opened.
        """
        waiting, seen, variants = deque([path]), {path}, Counter[str]()
        while waiting:
            answer = self.get(waiting.popleft())
            if not answer.headers["Content-Type"].startswith("text/html"):
                continue
            for link in _links(answer.text):
                address = urldefrag(urljoin(answer.url, link))[0].removeprefix(self.url)
                # The way back to a list is no other page.
                address = address.partition("?_changelist_filters")[0]
                plain = urlsplit(address).path
                if address not in seen and plain.startswith(inside) and variants[plain] < VARIANTS:
                    seen.add(address)
                    variants[plain] += 1
                    waiting.append(address)
        return seen

    def _keep(self, answer: requests.Response) -> requests.Response:
        for one in [*answer.history, answer]:
            head = APART.join(
                f"{name}: {value}"
                for name, value in one.headers.items()
                if name != "Content-Length"
            )
            self.answers.append(
                Piece(
                    f"answer to {one.request.method} {one.request.path_url}",
                    APART.join([head, one.text]),
                )
            )
        return answer


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if tag == "a" and name == "href"]


def _links(page: str) -> list[str]:
    parser = _Links()
    parser.feed(page)
    return parser.found
