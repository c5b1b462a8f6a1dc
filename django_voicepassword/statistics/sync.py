"""One day of the provider, agreed with ours: streamed, merged in bulk, run again at will.

The rows come in chunks, each merged in a transaction of its own by ``merge``: memory stays flat in
the length of the day, an interrupted run loses nothing, and a web request waits for a chunk at
most. Each chunk holds the day's lock, so two runs at once do each chunk one after the other, and
the second finds what the first has done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from django.db import connections, router, transaction
from django.utils import timezone

from django_voicepassword import limits, signals
from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.models import CallRequest, DailyStatistics
from django_voicepassword.provider import factory
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.dates import Moments, day_bounds, for_field
from django_voicepassword.provider.protocol import DailyRow, row_of
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.statistics.lost_calls import find_lost_calls, match_lost_calls
from django_voicepassword.statistics.merge import Merge, Totals

logger = logging.getLogger(__name__)
#: Rows merged in one transaction: some tenths of a second.
CHUNK = 10_000


@dataclass
class DayReport:
    """What became of one run: the day as it stands, and how many of its rows were written."""

    statistics: DailyStatistics
    written: int = 0


@sensitive
def sync_day(day: date, progress: Callable[[int], None] | None = None) -> DayReport:
    """Agree with the provider on one of its days (a date in PROVIDER_TIME_ZONE); may be run again,
    also for today.

    ``progress`` is told the number of rows read so far. Raises ProviderError; what the day stood at
    before stays, and what was merged already stays merged.
    """
    report: Any = factory.client().daily(day)
    database = router.db_for_write(CallRequest)
    merge = Merge(connections[database], timezone.now())
    moments = Moments()
    lost = find_lost_calls(day)
    totals = Totals()
    read = 0
    for chunk in _chunks(_rows(report)):
        match_lost_calls(lost, chunk, moments)
        with transaction.atomic(using=database):
            _hold(day)
            merge.chunk(_once(chunk), moments, totals)
        read += len(chunk)
        if progress is not None:
            progress(read)
    statistics = _keep(day, totals, read, report)
    signals.daily_synced.send_robust(sender=DailyStatistics, statistics=statistics)
    return DayReport(statistics, totals.written)


def provider_today(now: datetime | None = None) -> date:
    """The provider's date of now."""
    return date.fromisoformat(limits.provider_day(now or timezone.now()))


def _rows(report: Any) -> Iterator[DailyRow]:
    if isinstance(report, DailyReport):
        yield from report.lean()
        return
    # A client of the project's own gives Reports.
    for one in report:
        try:
            yield row_of(one)
        except UnreadableReply as error:
            logger.warning("a row of the daily statistics cannot be read: %s", error)


def _chunks(rows: Iterable[DailyRow]) -> Iterator[list[DailyRow]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _once(chunk: list[DailyRow]) -> list[DailyRow]:
    """Each request once, as told last: two rows of one request in one statement would be two calls."""
    return list({(row.id, row.is_sms): row for row in chunk}.values())


def _keep(day: date, totals: Totals, read: int, report: Any) -> DailyStatistics:
    begins, ends = day_bounds(day)
    # What rings, and what a test number only pretends to.
    missing = CallRequest.objects.filter(
        origin=CallRequest.Origin.APP,
        listed_at__isnull=True,
        claimed_at__isnull=False,
        created_at__gte=for_field(begins),
        created_at__lt=for_field(ends),
    ).exclude(state__in=[*CallRequest.UNSENT_STATES, CallRequest.State.PLACING])
    unreadable = getattr(report, "unreadable", 0)
    told = getattr(report, "rows", None)
    values = {
        "rows": read,
        "total_price": totals.price,
        "counts": {channel: dict(states) for channel, states in totals.counts.items()},
        "matched": totals.matched,
        "imported": totals.imported,
        "mismatched": totals.mismatched,
        "missing": missing.exclude(service=CallRequest.TEST_SERVICE).count(),
        "told_rows": told,
        "unreadable": unreadable,
        "unreadable_rows": getattr(report, "unreadable_rows", []),
        "synced_at": timezone.now(),
    }
    if unreadable:
        logger.warning("statistics of %s: %s rows cannot be read", day, unreadable)
    if told is not None and told != read + unreadable:
        logger.warning(
            "statistics of %s: the provider says %s rows and sends %s", day, told, read + unreadable
        )
    with transaction.atomic(using=router.db_for_write(DailyStatistics)):
        # A transaction that begins with a read cannot wait for a writer on SQLite.
        _hold(day)
        statistics, _ = DailyStatistics.objects.update_or_create(date=day, defaults=values)
    return statistics


def _hold(day: date) -> None:
    """Runs of one day take turns."""
    limits.lock(f"sync:{day.isoformat()}")
