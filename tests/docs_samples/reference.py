"""The tables, links and headings of the documentation pages."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote

from markdown_it import MarkdownIt

from tests.docs_samples.collect import ROOT

_CODE = re.compile(r"`([^`]+)`")


@lru_cache
def text(page: str) -> str:
    return (ROOT / page).read_text()


def rows(page: str) -> list[list[str]]:
    """Return the cells of every row of every table of a page, without the headers."""
    cells_of_rows: list[list[str]] = []
    for line in text(page).splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if set("".join(cells)) <= set("-: "):
                # The line before was the header.
                cells_of_rows.pop()
            else:
                cells_of_rows.append(cells)
    return cells_of_rows


def by_first(page: str) -> dict[str, list[str]]:
    """Return a map of each text in backticks in a first cell to the cells of its row."""
    return {name: row for row in rows(page) for name in codes(row[0])}


def codes(cell: str) -> list[str]:
    """Return the texts in backticks."""
    return _CODE.findall(cell)


def links(page: str) -> list[tuple[int, str]]:
    """Return line and address of every link of a page."""
    addresses = []
    for token in MarkdownIt("commonmark").enable("table").parse(text(page)):
        for child in token.children or []:
            if child.type == "link_open":
                addresses.append(((token.map or [0])[0] + 1, str(child.attrGet("href"))))
    return addresses


@lru_cache
def anchors(page: str) -> list[str]:
    """Return the anchors that GitHub makes of the headings of a page, in their order."""
    tokens = MarkdownIt("commonmark").parse(text(page))
    headings = [after for token, after in pairwise(tokens) if token.type == "heading_open"]
    return [
        _slug("".join(child.content for child in heading.children or [])) for heading in headings
    ]


def broken(page: str) -> list[str]:
    """Return the links of a page to files or headings that do not exist."""
    broken_links = []
    for line, address in links(page):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = unquote(address).partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        name = str(target.resolve().relative_to(ROOT))
        if not target.exists() or (anchor and anchor not in anchors(name)):
            broken_links.append(f"{page}:{line}: {address}")
    return broken_links


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
