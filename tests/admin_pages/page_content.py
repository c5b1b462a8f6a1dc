"""The tables, tiles and links of a page, parsed from its HTML."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser


class PageContent(HTMLParser):
    """``tables`` maps captions to rows of cells, ``tiles`` labels to the texts below them,
    ``links`` texts to addresses.
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
        self.data = json.loads(_chart_data(page))
        self.feed(page)
        self.text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag in ("caption", "th", "td", "dt", "dd", "a"):
            self._texts = []
        if tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag == "a":
            self._address = values.get("href") or ""
        if tag == "td" and values.get("title"):
            self.titles.append(values["title"] or "")

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

    def table(self, caption_start: str) -> list[list[str]]:
        """Return the rows of the one table whose caption begins so, without its header."""
        (rows,) = [
            rows for caption, rows in self.tables.items() if caption.startswith(caption_start)
        ]
        return rows[1:]


def _chart_data(page: str) -> str:
    match = re.search(
        r'<script id="vp-chart-data" type="application/json">(.*?)</script>', page, re.DOTALL
    )
    return match.group(1) if match else "{}"
