"""Measuring several works beside each other: small batches of each take turns in one process.

A ratio is taken within each round. The tables show the median of the ratios and their quartiles.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

#: What a batch is timed by. ``--cpu`` replaces it with ``time.process_time``.
clock: Callable[[], float] = time.perf_counter

#: Statements about transactions are not counted, because they differ between databases.
_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")


@dataclass
class Work:
    """``prepare(count)`` makes that many items, then ``run(item)`` is timed for each of them.

    ``enter`` is called before both.
    """

    prepare: Callable[[int], Sequence[Any]]
    run: Callable[[Any], object]
    enter: Callable[[], object] = lambda: None
    #: The mean seconds of one run, for each round.
    times: list[float] = field(default_factory=list)
    statements: int = 0

    def warm_up(self, count: int) -> None:
        self.enter()
        for item in self.prepare(count):
            self.run(item)
        (last,) = self.prepare(1)
        with counted() as seen:
            self.run(last)
        self.statements = len(seen)

    def time(self, count: int) -> None:
        self.enter()
        prepared = self.prepare(count)
        gc.collect()
        began = clock()
        for item in prepared:
            self.run(item)
        self.times.append((clock() - began) / count)

    @property
    def microseconds(self) -> float:
        return statistics.median(self.times) * 1e6


def alternate(works: Sequence[Work], rounds: int, batch: int, name: str) -> None:
    """Time a batch of each work, ``rounds`` times. Each round begins with another work."""
    for work in works:
        work.warm_up(batch)
    for number in range(rounds):
        first = number % len(works)
        for work in [*works[first:], *works[:first]]:
            work.time(batch)
        progress(f"{name}: round {number + 1} of {rounds}")
    progress("")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that are executed in the block, except those about transactions."""
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(_TRANSACTION):
            seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


@dataclass(frozen=True)
class Ratio:
    """The median and the quartiles of the ratios of all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, times: Sequence[float], floor_times: Sequence[float]) -> Ratio:
        ratios = [time / floor for time, floor in zip(times, floor_times, strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


class Table:
    """Rows of text under a title, for a terminal or for the documentation."""

    def __init__(self, title: str, *head: str) -> None:
        self.title = title
        self.rows: list[Sequence[str]] = [head]

    def add(self, *cells: object) -> None:
        self.rows.append([str(cell) for cell in cells])

    def print(self, markdown: bool) -> None:
        widths = [max(len(cell) for cell in column) for column in zip(*self.rows, strict=True)]
        print(f"\n### {self.title}\n" if markdown else f"\n{self.title}")
        for number, row in enumerate(self.rows):
            if markdown:
                print(f"| {' | '.join(row)} |")
                if number == 0:
                    print("|---" * len(row) + "|")
            else:
                print(
                    "  "
                    + "  ".join(
                        cell.ljust(width) for cell, width in zip(row, widths, strict=True)
                    ).rstrip()
                )
        sys.stdout.flush()


def progress(line: str) -> None:
    """Replace the last line of the terminal; print nothing if stderr is no terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


def say(line: str) -> None:
    """Print a line to stderr, even if it is no terminal."""
    progress("")
    print(line, file=sys.stderr, flush=True)
