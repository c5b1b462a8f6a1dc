"""Modules of the package are changed in a copy of the tree, one place at a time, and their tests
are to notice.

python -m tests.mutation                     # all: the table of tests/README.md
python -m tests.mutation limits              # one module
python -m tests.mutation limits --again      # what nobody noticed last time
python -m tests.mutation --processes 2       # two copies at once

It needs ``pip install -e '.[test,mutation]'``. What was seen is kept in ``var/mutation/``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.mutation.explained import EXPLAINED
from tests.mutation.modules import TESTS

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "var" / "mutation"
#: What a copy can do without.
SPARE = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__")

Seen = list[dict[str, Any]]


def change(name: str, folders: list[Path], wanted: list[str]) -> Seen:
    """Each change of a module, or those ``wanted``, with the outcome of its tests."""
    workers = []
    for part, folder in enumerate(folders):
        # What a test starts is to find the copy too, and what it leaves goes with the copy.
        environment = {**os.environ, "PYTHONPATH": str(folder), "TMPDIR": str(folder.parent)}
        command = [
            sys.executable,
            "-m",
            "tests.mutation.worker",
            name,
            str(part),
            str(len(folders)),
            json.dumps(wanted),
        ]
        workers.append(
            subprocess.Popen(
                command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
            )
        )
    seen: Seen = []
    for worker in workers:
        assert worker.stdout is not None
        seen += [json.loads(line) for line in worker.stdout]
        if worker.wait() != 0:
            raise SystemExit(f"{name}: the worker failed")
    return sorted(seen, key=lambda one: (one["line"], one["after"]))


def text_of(one: dict[str, Any]) -> str:
    return f"{one['before']} => {one['after']}"


def survivors(seen: Seen) -> Seen:
    return [one for one in seen if one["outcome"] == "passed"]


def reason(one: dict[str, Any]) -> str:
    """Why no test can notice it; empty where nobody wrote why."""
    known = EXPLAINED.get(one["module"], ())
    return next(
        (why for before, after, why in known if before in one["before"] and after in one["after"]),
        "",
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    parser.add_argument("--again", action="store_true", help="only what nobody noticed last time")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    rows, unexplained = [], 0
    with tempfile.TemporaryDirectory(prefix="voicepassword-mutation-") as folder:
        copies = [Path(folder) / str(number) / "tree" for number in range(given.processes)]
        for copy in copies:
            shutil.copytree(ROOT, copy, ignore=SPARE)
        for name in given.modules or TESTS:
            kept = KEPT / f"{name.replace('/', '.')}.json"
            before: Seen = json.loads(kept.read_text("utf-8")) if given.again else []
            wanted = [text_of(one) for one in survivors(before)]
            seen = change(name, copies, wanted) if wanted or not given.again else []
            told = {text_of(one) for one in seen}
            seen += [one for one in before if text_of(one) not in told]
            kept.write_text(json.dumps(seen, ensure_ascii=False, indent=1), "utf-8")
            for one in survivors(seen):
                unexplained += not reason(one)
                print(
                    f"{name}.py:{one['line']} {one['definition']}: {text_of(one)}  # {reason(one) or 'NOT EXPLAINED'}",
                    flush=True,
                )
            rows.append(
                (
                    name,
                    len(seen),
                    len(seen) - len(survivors(seen)),
                    sum(bool(reason(one)) for one in survivors(seen)),
                )
            )
    print("| module | mutants | killed | | survive, explained |\n|---|---:|---:|---:|---:|")
    for name, total, killed, explained in [
        *rows,
        ("all", *(sum(row[at] for row in rows) for at in (1, 2, 3))),
    ]:
        print(f"| `{name}` | {total} | {killed} | {killed / max(total, 1):.1%} | {explained} |")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
