"""The days of a period: what the provider reported, beside what we counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django_voicepassword.models import DailyStatistics
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.reading import Period

_ADDITIVE = ("rows", "total_price", "matched", "imported", "mismatched", "missing", "unreadable")


@dataclass
class SyncedStatistics:
    """What the provider reported about one day or several days; see ``DailyStatistics``."""

    rows: int = 0
    total_price: Decimal = Decimal(0)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    matched: int = 0
    imported: int = 0
    mismatched: int = 0
    missing: int = 0
    unreadable: int = 0
    synced_at: datetime | None = None

    def include(self, other: SyncedStatistics) -> None:
        """Add the counts of ``other``."""
        for name in _ADDITIVE:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for channel, states in other.counts.items():
            sums = self.counts.setdefault(channel, {})
            for state, rows in states.items():
                sums[state] = sums.get(state, 0) + rows


@dataclass(frozen=True)
class Day:
    """A day, or the sum of several days, which has no date.

    ``synced`` is None where no day was synced.
    """

    date: date | None
    synced: SyncedStatistics | None
    figures: Figures


def figures_of(first: date, last: date, channel: str) -> tuple[list[Day], Day]:
    """Return every day from ``first`` to ``last``, and their sum.

    The provider's statistics are of all channels, the figures of ``channel`` alone.
    """
    stored = DailyStatistics.objects.filter(date__gte=first, date__lte=last).order_by()
    synced = {
        row["date"]: _synced_statistics(row)
        for row in stored.values("date", "counts", "synced_at", *_ADDITIVE)
    }
    days = [
        Day(day, synced.get(day), figures) for day, figures in Period(first, last, channel).by_day()
    ]
    total = Day(None, _sum_synced(synced.values()), _sum_figures(day.figures for day in days))
    return days, total


def _synced_statistics(row: dict[str, Any]) -> SyncedStatistics:
    return SyncedStatistics(**{name: value for name, value in row.items() if name != "date"})


def _sum_synced(days: Iterable[SyncedStatistics]) -> SyncedStatistics | None:
    total = None
    for day in days:
        total = total or SyncedStatistics()
        total.include(day)
    return total


def _sum_figures(days: Iterable[Figures]) -> Figures:
    total = Figures()
    for figures in days:
        total.include(figures)
    return total
