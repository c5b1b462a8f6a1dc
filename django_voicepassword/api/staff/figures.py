"""The days of a period beside one another: as the provider told them, and as we count them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django_voicepassword.models import DailyStatistics
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.reading import Period

_SUMS = ("rows", "total_price", "matched", "imported", "mismatched", "missing", "unreadable")


@dataclass
class Books:
    """What the provider told of a day, or of several; see ``DailyStatistics``."""

    rows: int = 0
    total_price: Decimal = Decimal(0)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    matched: int = 0
    imported: int = 0
    mismatched: int = 0
    missing: int = 0
    unreadable: int = 0
    synced_at: datetime | None = None

    def include(self, day: Books) -> None:
        """Add all of another one."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(day, name))
        for channel, states in day.counts.items():
            own = self.counts.setdefault(channel, {})
            for state, rows in states.items():
                own[state] = own.get(state, 0) + rows


@dataclass(frozen=True)
class Day:
    """A day, or (without a date) a sum of days. ``books``: None where the day was not synced."""

    date: date | None
    books: Books | None
    figures: Figures


def figures_of(first: date, last: date, channel: str) -> tuple[list[Day], Day]:
    """Every day from ``first`` to ``last``, and their sum. The books are those of all channels."""
    kept = DailyStatistics.objects.filter(date__gte=first, date__lte=last).order_by()
    books = {row["date"]: _books(row) for row in kept.values("date", "counts", "synced_at", *_SUMS)}
    days = [
        Day(day, books.get(day), figures) for day, figures in Period(first, last, channel).by_day()
    ]
    return days, Day(None, _sum(books.values()), _sum_figures(day.figures for day in days))


def _books(row: dict[str, object]) -> Books:
    return Books(**{name: value for name, value in row.items() if name != "date"})  # type: ignore[arg-type]


def _sum(books: Iterable[Books]) -> Books | None:
    total = None
    for one in books:
        total = total or Books()
        total.include(one)
    return total


def _sum_figures(days: Iterable[Figures]) -> Figures:
    total = Figures()
    for one in days:
        total.include(one)
    return total
