"""Changes modules of the package in a copy of the tree, one place at a time; their tests must fail.

python -m tests.mutation                      # all modules: the table of tests/README.md
python -m tests.mutation limits/rates         # one module
python -m tests.mutation limits/rates --again # only the mutants that survived last time
python -m tests.mutation --processes 2        # two copies at once

It needs ``pip install -e '.[test,mutation]'``. The outcomes are stored in ``var/mutation/``.
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
from typing import TypedDict

from tests.mutation.explained import EXPLAINED
from tests.mutation.modules import TESTS

ROOT = Path(__file__).parents[2]
STORED = ROOT / "var" / "mutation"
NOT_COPIED = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__")


class Outcome(TypedDict):
    """A mutant, and ``passed``, ``failed`` or ``timeout``: what its tests did."""

    module: str
    outcome: str
    line: int
    definition: str
    before: str
    after: str


def run_workers(name: str, copies: list[Path], only: list[str]) -> list[Outcome]:
    """Try the mutants of a module, or those in ``only``, with one worker for each copy."""
    workers = []
    for part, copy in enumerate(copies):
        # Processes that a test starts must import the copy, and leave their files beside it.
        environment = {**os.environ, "PYTHONPATH": str(copy), "TMPDIR": str(copy.parent)}
        program = [sys.executable, "-m", "tests.mutation.worker"]
        arguments = [name, str(part), str(len(copies)), json.dumps(only)]
        workers.append(
            subprocess.Popen(
                [*program, *arguments],
                cwd=copy,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    outcomes: list[Outcome] = []
    for worker in workers:
        assert worker.stdout is not None
        outcomes += [json.loads(line) for line in worker.stdout]
        if worker.wait() != 0:
            raise SystemExit(f"{name}: the worker failed")
    return sorted(outcomes, key=lambda outcome: (outcome["line"], outcome["after"]))


def change_of(outcome: Outcome) -> str:
    return f"{outcome['before']} => {outcome['after']}"


def survivors(outcomes: list[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome["outcome"] == "passed"]


def reason(outcome: Outcome) -> str:
    """Return why no test can notice a mutant; empty if ``explained`` has no reason."""
    for before, after, why in EXPLAINED.get(outcome["module"], ()):
        if before in outcome["before"] and after in outcome["after"]:
            return why
    return ""


def try_module(name: str, copies: list[Path], again: bool) -> list[Outcome]:
    """Try a module and store the outcomes; with ``again`` only those that survived last time."""
    path = STORED / f"{name.replace('/', '.')}.json"
    before: list[Outcome] = json.loads(path.read_text("utf-8")) if again else []
    only = [change_of(outcome) for outcome in survivors(before)]
    outcomes = [] if again and not only else run_workers(name, copies, only)
    tried = {change_of(outcome) for outcome in outcomes}
    outcomes += [outcome for outcome in before if change_of(outcome) not in tried]
    path.write_text(json.dumps(outcomes, ensure_ascii=False, indent=1), "utf-8")
    return outcomes


def print_survivors(name: str, outcomes: list[Outcome]) -> None:
    for outcome in survivors(outcomes):
        place = f"{name}.py:{outcome['line']} {outcome['definition']}"
        why = reason(outcome) or "NOT EXPLAINED"
        print(f"{place}: {change_of(outcome)}  # {why}", flush=True)


def table(rows: list[tuple[str, int, int, int]]) -> str:
    """Format the rows (module, mutants, killed, explained) for tests/README.md, with their sum."""
    total = (
        "all",
        sum(row[1] for row in rows),
        sum(row[2] for row in rows),
        sum(row[3] for row in rows),
    )
    lines = ["| module | mutants | killed | | survive, explained |", "|---|---:|---:|---:|---:|"]
    for name, count, killed, explained in [*rows, total]:
        share = f"{killed / max(count, 1):.1%}"
        lines.append(f"| `{name}` | {count} | {killed} | {share} | {explained} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(TESTS))
    parser.add_argument("--again", action="store_true", help="only what survived last time")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    STORED.mkdir(parents=True, exist_ok=True)
    rows, unexplained = [], 0
    with tempfile.TemporaryDirectory(prefix="voicepassword-mutation-") as folder:
        copies = [Path(folder) / str(number) / "tree" for number in range(options.processes)]
        for copy in copies:
            shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
        for name in options.modules or TESTS:
            outcomes = try_module(name, copies, options.again)
            print_survivors(name, outcomes)
            survived = survivors(outcomes)
            explained = sum(bool(reason(outcome)) for outcome in survived)
            unexplained += len(survived) - explained
            rows.append((name, len(outcomes), len(outcomes) - len(survived), explained))
    print(table(rows))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
