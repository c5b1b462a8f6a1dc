"""Days of which RETENTION may have deleted calls: their figures must not be counted from rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django_voicepassword.conf import settings
from django_voicepassword.limits import purged
from django_voicepassword.models import DailyStatistics
from django_voicepassword.models.moments import as_aware, oldest_kept
from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.statistics.totals import Totals

#: The provider dates a call later than we do: the call waits for a worker, which waits for the
#: provider.
_WORKER_AND_PROVIDER = timedelta(minutes=10)


def deleted_until() -> datetime | None:
    """Return the moment before which RETENTION may have deleted calls, or will at its next run.

    A purge under a smaller RETENTION_DAYS counts too. None: no call was deleted.
    """
    return _latest(purged.until(), oldest_kept() if settings.RETENTION == "delete" else None)


def may_be_purged(day: date, until: datetime | None) -> bool:
    """Return whether calls of the day may have been deleted; ``until`` is ``deleted_until()``."""
    return until is not None and day_bounds(day)[0] < until


def imported_since(day: date, now: datetime) -> datetime | None:
    """Return from when rows of ``day`` are imported; those without a date are not.

    None: every row is imported. Where history is deleted, an older row may belong to a call of ours
    that was deleted. Where numbers are masked, an older row would bring a whole number back. What
    was deleted under a smaller RETENTION_DAYS stays deleted.
    """
    edge = _latest(purged.until(), oldest_kept(now))
    if edge is None:
        return None
    since = edge + timedelta(seconds=settings.CODE_TTL) + _WORKER_AND_PROVIDER
    return since if day_bounds(day)[0] < since else None


def erased_until(day: date) -> datetime | None:
    """Return until when rows of ``day`` are imported without their number; None: none is.

    Such a row may be of a person who was erased, and nothing is kept by which to tell.
    """
    erased = purged.erased_until()
    if erased is None:
        return None
    edge = erased + _WORKER_AND_PROVIDER
    return edge if day_bounds(day)[0] < edge else None


def _latest(*moments: datetime | None) -> datetime | None:
    return max((as_aware(moment) for moment in moments if moment is not None), default=None)


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
