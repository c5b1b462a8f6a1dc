"""What is changed, and what is left alone."""

from __future__ import annotations

import pytest

pytest.importorskip("cosmic_ray", reason="the extra mutation is not installed")

from tests.mutation.operators import mutants

SOURCE = '''
"""A docstring, 5."""
from __future__ import annotations
import logging
from typing import TypeVar, cast
logger = logging.getLogger(__name__)
Kind = TypeVar("Kind", bound="int")
__all__ = ["name"]
known: dict[str, tuple[int, "5"]] | None = {}


@mark
def name(one: str | None, two: int = 7, *, three: "text" = cast("str", None)) -> list[str] | None:
    """Another, 6."""
    logger.info("told %s times", 3)
    if one in known:
        raise ValueError(f"a sentence of {two}")
    note(one, kind=two)
    two += 1
    return min(one, "word")
'''
EXPECTED = {
    ("@mark", ""),
    ("two: int = 7", "two: int = 8"),
    ("two: int = 7", "two: int = 6"),
    ("if one in known:", "if one not in known:"),
    ('raise ValueError(f"a sentence of {two}")', "pass"),
    ("note(one, kind=two)", "pass"),
    ("note(one, kind=two)", "note(one,)"),
    ("two += 1", "pass"),
    ("two += 1", "two += 2"),
    ("two += 1", "two += 0"),
    ('return min(one, "word")', "return None"),
    ('return min(one, "word")', 'return max(one, "word")'),
    ('return min(one, "word")', 'return min(one, "XXword")'),
}


def test_what_a_test_could_see_is_changed_and_nothing_else() -> None:
    found = mutants(SOURCE)
    told = {(one.before, one.after) for one in found}
    signature = next(line for line in SOURCE.splitlines() if line.startswith("def "))
    shortened = {
        (before.replace(signature, "two: int = 7"), _argument(after)) for before, after in told
    }
    assert shortened == EXPECTED
    assert len(found) == len(EXPECTED)
    assert {one.definition for one in found} == {"", "name"}


def _argument(after: str) -> str:
    return (
        " ".join(after[after.index("two:") : after.index(", *")].split())
        if after.startswith("def ")
        else after
    )
