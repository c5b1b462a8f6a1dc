"""How much starts wait for each other at the counters that all of them share.

    python -m benchmarks.contention
    python -m benchmarks.contention --at-once 16 --rounds 9

Threads in several processes start verifications in PostgreSQL, 64 at once, through the app's own
``verifications.start``: with the limit ``site`` and DAILY_BUDGET, and without both. Rounds of the
two kinds alternate, and the median of their ratios is printed. Nothing is placed, and no broker
takes part.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from tests.ask_processes import ask

ROOT = Path(__file__).parents[1]
PROCESSES = 4
#: What is switched on besides the defaults. Neither refuses anybody here.
SHARED = {"site": ["1000000/h", "10000000/d"]}, 10**9
WITHOUT: tuple[dict[str, list[str]], int | None] = {"site": []}, None

_PROGRAM = """
import json, sys, threading, time, django
from django.conf import settings
django.setup()
from django.core.management import call_command
from django.db import connections
from django_voicepassword import verifications
from django_voicepassword.verifications import dispatch

dispatch.dispatch = lambda call: None
process = int(sys.argv[1])
numbers = iter(range(process, 10**9, 1000))
lock = threading.Lock()


def start_some(count, barrier, waits):
    connection = connections["default"]
    connection.ensure_connection()
    barrier.wait()
    for _ in range(count):
        with lock:
            number = next(numbers)
        began = time.perf_counter()
        verifications.start(f"79{number:09}")
        waits.append(time.perf_counter() - began)
    connections.close_all()


def measure(threads, count, limits, budget):
    settings.VOICEPASSWORD = {
        "API_KEY": "key", "LIMITS": limits, "DAILY_BUDGET": budget, "FRAUD_GUARD": "enforce",
        "DISPATCH": "celery", "FRAUD_FLOOR": 10**8,
    }
    barrier, waits = threading.Barrier(threads), []
    running = [
        threading.Thread(target=start_some, args=(count, barrier, waits)) for _ in range(threads)
    ]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return {"seconds": time.perf_counter() - began, "waits": waits}


for line in sys.stdin:
    order = json.loads(line)
    if order is None:
        call_command("migrate", verbosity=0)
        print("{}", flush=True)
    else:
        print(json.dumps(measure(**order)), flush=True)
"""


class Starters:
    """Processes whose threads start verifications."""

    def __init__(self, url: str) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": url,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        }
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=environment,
            )
            for number in range(PROCESSES)
        ]
        ask(self._processes[:1], None)

    def close(self) -> None:
        for process in self._processes:
            process.communicate()

    def measure(
        self, at_once: int, count: int, limits: dict[str, list[str]], budget: int | None
    ) -> tuple[float, float]:
        """Return the starts in a second, and the median milliseconds of one."""
        order = {
            "threads": at_once // PROCESSES,
            "count": count,
            "limits": {"phone": ["3/10m", "10/d"], **limits},
            "budget": budget,
        }
        answers = ask(self._processes, order)
        seconds = max(answer["seconds"] for answer in answers)
        waits = [wait for answer in answers for wait in answer["waits"]]
        return len(waits) / seconds, statistics.median(waits) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20, help="starts of a thread in a round")
    options = parser.parse_args()
    from benchmarks.logins_deployment import Database

    with Database() as database:
        starters = Starters(database.url)
        try:
            return _print_rounds(starters, options)
        finally:
            starters.close()


def _print_rounds(starters: Starters, options: argparse.Namespace) -> int:
    kinds = {"without": WITHOUT, "with site and budget": SHARED}
    for kind in kinds.values():
        # The rows, the plans and the connections of the first round are new.
        starters.measure(options.at_once, 3, *kind)
    print(f"{options.at_once} starts at once    starts/s, median ms of one")
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(options.rounds):
        for name, kind in kinds.items():
            rate, median = starters.measure(options.at_once, options.count, *kind)
            rates[name].append(rate)
            print(f"{name:>22} {rate:9,.0f} {median:12,.0f}", flush=True)
    ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"slower with both: {statistics.median(ratios):.2f} times (median of the rounds)")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "example_project"))
    sys.exit(main())
