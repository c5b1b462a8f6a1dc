"""What is measured alternates in small batches in one process; ratios are taken within a round, and
the middle one counts.
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

#: What opens, ends and names transactions is not counted: it differs from database to database.
_TRANSACTION = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ")


@dataclass
class Work:
    """``run`` is timed once for each of what ``prepare(count)`` made before. ``enter``: called
    before both.
    """

    prepare: Callable[[int], Sequence[Any]]
    run: Callable[[Any], object]
    enter: Callable[[], object] = lambda: None
    #: Mean seconds of one run, round by round.
    times: list[float] = field(default_factory=list)
    statements: int = 0

    def warm_up(self, count: int) -> None:
        self.enter()
        for one in self.prepare(count):
            self.run(one)
        (last,) = self.prepare(1)
        with counted() as seen:
            self.run(last)
        self.statements = len(seen)

    def time(self, count: int) -> None:
        self.enter()
        prepared = self.prepare(count)
        gc.collect()
        began = time.perf_counter()
        for one in prepared:
            self.run(one)
        self.times.append((time.perf_counter() - began) / count)

    @property
    def microseconds(self) -> float:
        return statistics.median(self.times) * 1e6


def alternate(works: Sequence[Work], rounds: int, batch: int, name: str) -> None:
    """``rounds`` times a batch of each; who begins moves on from round to round."""
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
    """The statements that were executed meanwhile, without those of transactions."""
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(_TRANSACTION):
            seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


@dataclass(frozen=True)
class Ratio:
    """Of ``ours`` to ``floor``, round by round: the middle one, and the quartiles."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], floor: Sequence[float]) -> Ratio:
        ratios = [one / other for one, other in zip(ours, floor, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        return cls(middle, low, high)

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


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
    """On a terminal, one line that is written over."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line}")
        sys.stderr.flush()


def say(line: str) -> None:
    """What takes long is told also where no terminal is."""
    progress("")
    print(line, file=sys.stderr, flush=True)
