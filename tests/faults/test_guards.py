"""The guards that `python -m tests.faults.guards` takes away: their lines exist, and the README's
table lists them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.guards import GUARDS, PROMISES, Guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.word)
def test_the_lines_of_a_guard_stand_once_in_the_package(guard: Guard) -> None:
    for name, old, new in guard.edits:
        text = (ROOT / "django_voicepassword" / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name}:\n{old}"
        assert new != old


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.word)
def test_the_readme_lists_a_guard_with_its_tests(guard: Guard) -> None:
    readme = (ROOT / "tests" / "README.md").read_text("utf-8")
    assert f"| {PROMISES[guard.promise]} | {guard.behavior} |" in readme
    for test in guard.tests:
        path, _, expression = test.partition(" -k ")
        assert (ROOT / path).is_file()
        short = path.removeprefix("tests/")
        assert (f"`{short}` `-k '{expression}'`" if expression else f"`{short}`") in readme
