"""Breaks each promise on purpose in a copy of the tree; its tests must fail.

python -m tests.faults.guards             # every guard: some twenty minutes
python -m tests.faults.guards claim       # those with this word in their word or behavior

Prints the rows of the table in ``tests/README.md``. Exits with 1 if a test passes without a guard.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.guards import GUARDS, PROMISES, Guard

ROOT = Path(__file__).parents[3]
NOT_COPIED = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__")
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider"]


class Copy:
    """A copy of the tree, in which one guard after the other is removed and restored."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        shutil.copytree(ROOT, self.root, ignore=NOT_COPIED)

    def remove(self, guard: Guard) -> dict[Path, str]:
        """Apply the edits of a guard. Return the changed files with their text before."""
        before: dict[Path, str] = {}
        for name, old, new in guard.edits:
            path = self.root / "django_voicepassword" / name
            text = path.read_text("utf-8")
            if text.count(old) != 1:
                raise SystemExit(
                    f"{guard.word}: {name} has this text {text.count(old)} times, not once:\n{old}"
                )
            before.setdefault(path, text)
            path.write_text(text.replace(old, new), "utf-8")
        return before

    def run(self, test: str) -> str | None:
        """Run a test. Return the first error that pytest prints, or None if the test passed."""
        path, _, expression = test.partition(" -k ")
        selection = [path, "-k", expression] if expression else [path]
        # Processes that a test starts must import the copy too.
        environment = {**os.environ, "PYTHONPATH": str(self.root), "COLUMNS": "200"}
        done = subprocess.run(
            [*PYTEST, *selection], cwd=self.root, env=environment, capture_output=True, text=True
        )
        if done.returncode == 0:
            return None
        if done.returncode != 1:
            raise SystemExit(
                f"{test} could not be run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        error = re.search(r"^E +(.+)$", done.stdout, re.MULTILINE)
        return error[1][:200] if error else "failed"


def try_without(guard: Guard, copy: Copy) -> int:
    """Remove a guard, run its tests and restore it. Return how many tests passed without it."""
    before = copy.remove(guard)
    passed = 0
    for test in guard.tests:
        began = time.monotonic()
        error = copy.run(test)
        passed += error is None
        seconds = f"{time.monotonic() - began:.0f} s"
        row = (PROMISES[guard.promise], guard.behavior, test, error or "NOT NOTICED", seconds)
        print(" | ".join(row), flush=True)
    for path, text in before.items():
        path.write_text(text, "utf-8")
    return passed


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [guard for guard in GUARDS if word in f"{guard.word}: {guard.behavior}"]
    if not chosen:
        raise SystemExit(f"no guard has {word!r} in its name")
    with tempfile.TemporaryDirectory(prefix="voicepassword-guards-") as folder:
        copy = Copy(Path(folder))
        passed = sum(try_without(guard, copy) for guard in chosen)
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
