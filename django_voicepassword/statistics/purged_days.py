"""Days of which RETENTION may have deleted calls: their figures must not be counted from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django_voicepassword.conf import settings
from django_voicepassword.models import DailyStatistics
from django_voicepassword.models.moments import as_aware, oldest_kept
from django_voicepassword.provider.dates import day_bounds
from django_voicepassword.statistics.totals import Totals

#: The provider dates a call later than we do: the call waits for a worker, which waits for the
#: provider.
_WORKER_AND_PROVIDER = timedelta(minutes=10)


def may_be_purged(day: date) -> bool:
    """Return whether RETENTION may have deleted calls of the day."""
    oldest = oldest_kept()
    if oldest is None or settings.RETENTION != "delete":
        return False
    return day_bounds(day)[0] < as_aware(oldest)


def imported_since(day: date, now: datetime) -> datetime | None:
    """Return from when rows of ``day`` are imported; those without a date are not.

    None: every row is imported. Where history is deleted, an older row may belong to a call of ours
    that was deleted. Where numbers are masked, an older row would bring a whole number back.
    """
    oldest = oldest_kept(now)
    if oldest is None:
        return None
    since = as_aware(oldest) + timedelta(seconds=settings.CODE_TTL) + _WORKER_AND_PROVIDER
    return since if day_bounds(day)[0] < since else None


def kept_figures(
    stored: DailyStatistics, totals: Totals, counted: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the figures to store for a day that was synced before its calls were deleted.

    ``counted`` are the figures of this run, which finds no call for the rows of deleted calls.
    Where the provider still says the same, the stored figures stay. Where it says more, what this
    run has found for the first time is added to them.
    """
    said = (counted["rows"], counted["total_price"], _by_state(counted["counts"]))
    if said == (stored.rows, stored.total_price, _by_state(stored.counts)):
        kept = ("counts", "matched", "imported", "mismatched", "missing")
        return {**counted, **{name: getattr(stored, name) for name in kept}}
    return {
        **counted,
        "matched": stored.matched + totals.newly_matched,
        "imported": stored.imported + totals.newly_imported,
        "mismatched": stored.mismatched + totals.newly_mismatched,
        "missing": max(stored.missing, counted["missing"]),
    }


def _by_state(counts: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """Add up the channels: the row of a deleted call may be counted on another channel."""
    total: Counter[str] = Counter()
    for states in counts.values():
        total.update(states)
    return total
