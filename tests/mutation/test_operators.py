"""Which changes are made, and which places are left alone."""

from __future__ import annotations

import pytest

pytest.importorskip("cosmic_ray", reason="the extra mutation is not installed")

from tests.mutation.operators import mutants

pytestmark = pytest.mark.any_version

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
    logger.info("called %s times", 3)
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


def test_only_places_that_a_test_could_notice_are_changed() -> None:
    made = mutants(SOURCE)
    changes = {(mutant.before, mutant.after) for mutant in made}
    signature = next(line for line in SOURCE.splitlines() if line.startswith("def "))
    shortened = {
        (before.replace(signature, "two: int = 7"), _argument(after)) for before, after in changes
    }
    assert shortened == EXPECTED
    assert len(made) == len(EXPECTED)
    assert {mutant.definition for mutant in made} == {"", "name"}


def test_a_dotted_name_in_a_tuple_of_exceptions_is_left_alone() -> None:
    source = "try:\n    run()\nexcept (module.Error, ValueError):\n    stop()\n"
    changes = {(mutant.before, mutant.after) for mutant in mutants(source)}
    assert {("run()", "pass"), ("stop()", "pass")} <= changes


def _argument(after: str) -> str:
    """Return the changed argument of a changed signature; other changes as they are."""
    if not after.startswith("def "):
        return after
    return " ".join(after[after.index("two:") : after.index(", *")].split())
