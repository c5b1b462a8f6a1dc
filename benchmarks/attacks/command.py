"""``python -m benchmarks attacks``: run the attacks in several processes and print the tables."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from benchmarks.attacks import process, report
from benchmarks.attacks.figures import Figures
from benchmarks.attacks.plan import ENTRIES, MODES, jobs


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    began = time.monotonic()
    todo = jobs(options)
    if not todo:
        print(f"no such attack: choose from {', '.join(map(repr, ENTRIES))}", file=sys.stderr)
        return 2
    results: dict[Any, list[Figures]] = defaultdict(list)
    # A new process for each job: clock, settings and database are those of a whole process.
    with (
        get_context("spawn").Pool(options.processes, maxtasksperchild=1) as pool,
        # Whoever stops a long run sees the tables of what is done.
        suppress(KeyboardInterrupt),
    ):
        done = pool.imap_unordered(_run, todo)
        for number, (job, figures) in enumerate(done, 1):
            results[job["attack"], job["shape"], job["mode"]].append(figures)
            name = f"{job['attack']}, {job['shape']}, {job['mode']}, seed {job['seed']}"
            print(f"{number}/{len(todo)} {name}: {figures.seconds:.0f} s", file=sys.stderr)
    report.print_all(results, options, time.monotonic() - began)
    return 0


def _run(job: dict[str, Any]) -> tuple[dict[str, Any], Figures]:
    return job, process.run(job)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks attacks",
        description="Simulate attacks against a site of 10,000 honest logins a day, under a false"
        " clock, and print who got in, who was rung, who was refused and what it cost.",
    )
    parser.add_argument("names", nargs="*", metavar="ATTACK", help="default: all of them")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one day of each attack with FRAUD_GUARD enforce, and three quiet days: 10 minutes",
    )
    parser.add_argument("--mode", nargs="+", choices=list(MODES))
    parser.add_argument("--shape", nargs="+", choices=["even", "burst"])
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each attack")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--days", type=int, help="quiet days; default: 30, with --quick 3")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scale", type=float, default=1.0, help="of the usual size of everything")
    return parser.parse_args(arguments)
