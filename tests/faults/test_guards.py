"""The guards that `python -m tests.faults.guards` takes away are where it looks for them, and told
in the README.
"""

from __future__ import annotations

import pytest

from tests.faults.guards import ROOT, Guard
from tests.faults.removals import CALLS
from tests.faults.removals_more import COUNTS


@pytest.mark.parametrize("guard", [*CALLS, *COUNTS], ids=lambda guard: guard.name.partition(":")[0])
def test_a_guard_stands_where_it_is_taken_away(guard: Guard) -> None:
    for name, old, new in guard.edits:
        text = (ROOT / "django_voicepassword" / name).read_text("utf-8")
        assert text.count(old) == 1, f"{name}:\n{old}"
        assert new != old
    told = (ROOT / "tests" / "README.md").read_text("utf-8")
    for test in guard.tests:
        path, _, words = test.partition(" -k ")
        assert (ROOT / path).is_file()
        row = (
            f"`{path.removeprefix('tests/')}` `-k '{words}'`"
            if words
            else f"`{path.removeprefix('tests/')}`"
        )
        assert row in told
    # The word before it is for the command line.
    assert f"| {guard.name.partition(': ')[2]} |" in told
