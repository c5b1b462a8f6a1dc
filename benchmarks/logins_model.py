"""What a rate of logins needs, reckoned from the costs of one login that a run measured.

    python -m benchmarks logins --web 2 --clients 16 --seconds 25 \\
        --limits phone phone_guesses ip prefix site budget --model 1000

Nothing here is measured: each figure is a product of measured costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

#: How much of a core a part may use, so that a busy second does not make people wait.
USED = 0.6
#: The seconds that the provider takes for an answer, and the threads of each process.
PROVIDER, WEB_THREADS, WORKER_THREADS = 1.0, 4, 20
#: Rows of each counter that all starts share, and seconds for which a start or an approval holds
#: one of them: some statements over the network, and the flush to the disk.
ROWS, HELD = 64, 0.005
#: How often a login locks such a row: its start, and its approval.
LOCKS = 2


@dataclass(frozen=True)
class Costs:
    """Of one login: milliseconds of a processor, and how much of everything else."""

    web: float
    worker: float
    database: float
    broker: float
    statements: float
    transactions: float
    flushes: float
    wal: float


def table(rate: float, costs: Costs) -> list[tuple[str, str, str]]:
    """What ``rate`` logins a second need: resource, calculation, amount."""
    web, worker = _cores(rate, costs.web), _cores(rate, costs.worker)
    calls = rate * PROVIDER
    processes = max(worker, ceil(calls / WORKER_THREADS))
    connections = web * WEB_THREADS + processes * WORKER_THREADS
    busy = rate * LOCKS * HELD / ROWS
    share = f"/ {USED:.0%}"
    return [
        ("web", f"{costs.web:.1f} ms {share}", f"{web} cores, as many processes"),
        ("workers", f"{costs.worker:.1f} ms {share}", f"{worker} cores"),
        (
            "worker threads",
            f"{rate:,.0f}/s × {PROVIDER:.0f} s",
            f"{calls:,.0f}, as {processes} processes with {WORKER_THREADS}",
        ),
        ("PostgreSQL", f"{costs.database:.1f} ms {share}", f"{_cores(rate, costs.database)} cores"),
        ("broker", f"{costs.broker:.1f} ms", f"{rate * costs.broker / 10:,.0f} % of a core"),
        (
            "connections",
            f"{web} × {WEB_THREADS} + {processes} × {WORKER_THREADS}",
            f"{connections:,}",
        ),
        (
            "statements, transactions, flushes",
            f"{costs.statements:.0f}, {costs.transactions:.0f} and {costs.flushes:.0f}",
            ", ".join(
                f"{rate * one:,.0f}/s"
                for one in (costs.statements, costs.transactions, costs.flushes)
            ),
        ),
        ("write-ahead log", f"{costs.wal / 1000:.1f} kB", f"{rate * costs.wal / 1e6:,.1f} MB/s"),
        (
            "a row of site or of the budget",
            f"{rate:,.0f}/s × {LOCKS} × {HELD * 1000:.0f} ms / {ROWS} rows",
            f"locked {busy:.0%} of the time",
        ),
    ]


def _cores(rate: float, milliseconds: float) -> int:
    return ceil(rate * milliseconds / 1000 / USED)
