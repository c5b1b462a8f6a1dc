"""docs/architecture.md names rooms, modules, functions and files that exist."""

from __future__ import annotations

import re
from functools import lru_cache
from pkgutil import resolve_name

import pytest
from markdown_it import MarkdownIt

from tests.docs_samples.collect import ROOT
from tests.docs_samples.reference import codes, rows, text
from tests.test_floors import FLOORS, PACKAGE

pytestmark = pytest.mark.any_version

PAGE = "docs/architecture.md"


def _names() -> list[str]:
    """Everything in backticks."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text(PAGE))
    children = [child for token in tokens for child in token.children or []]
    return sorted({child.content for child in children if child.type == "code_inline"})


@lru_cache
def _words_of_the_package() -> set[str]:
    return set(re.findall(r"\w+", "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))))


def _exists(name: str) -> bool:
    if "/" in name:
        return (ROOT / name).exists() or (PACKAGE / name).exists()
    if re.fullmatch(r"\w+(\.\w+)+", name):
        return _resolves(f"django_voicepassword.{name}") or _resolves(name)
    # A setting, a state, a method: the page does not say where it is.
    return set(re.findall(r"\w+", name)) <= _words_of_the_package()


def _resolves(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_the_page_has_names() -> None:
    assert len(_names()) > 100


@pytest.mark.parametrize("name", _names())
def test_a_name_on_the_page_exists(name: str) -> None:
    assert _exists(name)


@pytest.mark.parametrize(
    "name",
    [
        "calls.place_twice",
        "calls.nothing.place",
        "models.Verification.nothing",
        "web/nothing.py",
        "NO_SUCH_SETTING",
    ],
)
def test_a_name_that_does_not_exist_is_noticed(name: str) -> None:
    assert not _exists(name)


def test_the_table_has_each_room_on_its_floor() -> None:
    lines = [row for row in rows(PAGE) if row[0].isdigit()]
    floors = {room.rstrip("/"): int(row[0]) for row in lines for room in codes(row[1])}
    # The package itself and the sandbox are on no floor.
    assert floors == {room: floor for room, floor in FLOORS.items() if room not in ("", "sandbox")}
