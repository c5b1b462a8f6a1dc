"""What a page shows, read out of its HTML as a person reads it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Shown(HTMLParser):
    """``tables``: caption -> rows of cells; ``tiles``: label -> what stands under it; ``links``:
    words -> address.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tiles: dict[str, list[str]] = {}
        self.links: dict[str, str] = {}
        self.titles: list[str] = []
        self._texts: list[str] = []
        self._address = ""
        self._rows: list[list[str]] = []
        self.data = json.loads(_script(page))
        self.feed(page)
        self.text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("caption", "th", "td", "dt", "dd", "a"):
            self._texts = []
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag == "a":
            self._address = given.get("href") or ""
        if tag == "td" and given.get("title"):
            self.titles.append(given["title"] or "")

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._texts).split())
        if tag == "caption":
            self.tables[text] = self._rows
        elif tag in ("th", "td") and self._rows:
            self._rows[-1].append(text)
        elif tag == "dt":
            self.tiles[text] = []
        elif tag == "dd":
            self.tiles[list(self.tiles)[-1]].append(text)
        elif tag == "a":
            self.links[text] = self._address

    def table(self, begins: str) -> list[list[str]]:
        """The rows under the caption that begins so, without the one of headings."""
        (found,) = [rows for caption, rows in self.tables.items() if caption.startswith(begins)]
        return found[1:]


def _script(page: str) -> Any:
    found = re.search(
        r'<script id="vp-chart-data" type="application/json">(.*?)</script>', page, re.DOTALL
    )
    return found.group(1) if found else "{}"
