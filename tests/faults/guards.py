"""Each promise is broken on purpose, in a copy of the tree, and its tests are to notice: the table
of ``tests/README.md``.

python -m tests.faults.guards             # all: some twenty minutes
python -m tests.faults.guards claim       # those whose name has the word
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What a copy can do without.
SPARE = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__")


@dataclass(frozen=True)
class Guard:
    """``edits``: (file of the package, what stands there, what is to stand there). Every one of
    ``tests`` is to fail.
    """

    promise: str
    name: str
    tests: tuple[str, ...]
    edits: tuple[tuple[str, str, str], ...]


class Copy:
    """The tree without a guard."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "tree"
        shutil.copytree(ROOT, self.root, ignore=SPARE)

    def remove(self, guard: Guard) -> dict[Path, str]:
        """The files as they were."""
        before: dict[Path, str] = {}
        for name, old, new in guard.edits:
            path = self.root / "django_voicepassword" / name
            text = path.read_text("utf-8")
            if text.count(old) != 1:
                raise SystemExit(
                    f"{guard.name}: {name} has this {text.count(old)} times, not once:\n{old}"
                )
            before.setdefault(path, text)
            path.write_text(text.replace(old, new), "utf-8")
        return before

    def run(self, test: str) -> str | None:
        """How a test failed, in the words of its first assertion; None where it passed."""
        path, _, words = test.partition(" -k ")
        chosen = [path, "-k", words] if words else [path]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *chosen,
        ]
        # The processes that a test starts are to find the copy too.
        environment = {**os.environ, "PYTHONPATH": str(self.root), "COLUMNS": "200"}
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True
        )
        if done.returncode == 0:
            return None
        if done.returncode != 1:
            raise SystemExit(
                f"{test} could not be run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        told = re.search(r"^E +(.+)$", done.stdout, re.MULTILINE)
        return told[1][:200] if told else "failed"


def main() -> int:
    from tests.faults.removals import CALLS
    from tests.faults.removals_more import COUNTS

    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="voicepassword-guards-") as folder:
        copy = Copy(Path(folder))
        for guard in [one for one in [*CALLS, *COUNTS] if wanted in one.name]:
            before = copy.remove(guard)
            for test in guard.tests:
                began = time.monotonic()
                words = copy.run(test)
                unnoticed += words is None
                seconds = f"{time.monotonic() - began:.0f} s"
                print(
                    f"{guard.promise} | {guard.name} | {test} | {words or 'NOT NOTICED'} | {seconds}",
                    flush=True,
                )
            for path, text in before.items():
                path.write_text(text, "utf-8")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
