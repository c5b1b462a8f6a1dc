"""Tables of the reference pages, and what in the package they must list."""

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
    """The cells of every row of every table of a page, without the heads."""
    found = []
    for line in text(page).splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if set("".join(cells)) <= set("-: "):
                # The line before was the head.
                found.pop()
            else:
                found.append(cells)
    return found


def by_first(page: str) -> dict[str, list[str]]:
    """The first word in backticks of each row -> the row's cells; several words in the first cell:
    each.
    """
    return {name: row for row in rows(page) for name in codes(row[0])}


def codes(cell: str) -> list[str]:
    """What stands in backticks."""
    return _CODE.findall(cell)


def links(page: str) -> list[tuple[int, str]]:
    """Line and address of every link of a page."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text(page)):
        for child in token.children or []:
            if child.type == "link_open":
                found.append(((token.map or [0])[0] + 1, str(child.attrGet("href"))))
    return found


@lru_cache
def anchors(page: str) -> set[str]:
    """What a code host makes of the headings of a page."""
    tokens = MarkdownIt("commonmark").parse(text(page))
    heads = [after for token, after in pairwise(tokens) if token.type == "heading_open"]
    return {_slug("".join(child.content for child in head.children or [])) for head in heads}


def broken(page: str) -> list[str]:
    """Links of a page to files or headings that are not there."""
    found = []
    for line, address in links(page):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, anchor = unquote(address).partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        name = str(target.resolve().relative_to(ROOT))
        if not target.exists() or (anchor and anchor not in anchors(name)):
            found.append(f"{page}:{line}: {address}")
    return found


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
