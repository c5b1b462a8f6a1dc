"""Sync one day of the provider's statistics: the rows are streamed and merged in chunks.

``merge`` merges each chunk in a transaction of its own. So memory does not grow with the length of
the day, an interrupted run keeps the chunks that it has merged, and a web request waits for one
chunk at most. The run can be repeated at any time. While the database merges a chunk, a thread
reads the next one.

Each chunk takes the lock of the sync. Two runs at once, of one day or of two, therefore merge each
chunk one after the other, and the second finds what the first has written.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import Any

from django.db import connections, router
from django.utils import timezone

from django_voicepassword import limits, signals, transactions
from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, DailyStatistics
from django_voicepassword.models.provider_days import day_bounds, day_of
from django_voicepassword.provider import factory
from django_voicepassword.provider.daily_report import (
    MAX_UNREADABLE_KEPT,
    DailyReport,
    check_rows,
)
from django_voicepassword.provider.dates import Moments, for_field
from django_voicepassword.provider.protocol import DailyRow, Report, row_of
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.statistics.ahead import Ahead
from django_voicepassword.statistics.loading import zone_of
from django_voicepassword.statistics.lost_calls import find_lost_calls
from django_voicepassword.statistics.merge import Merge
from django_voicepassword.statistics.pairing import Pairing, SortedChunk
from django_voicepassword.statistics.purged_days import (
    deleted_until,
    erased_until,
    imported_since,
    kept_figures,
    may_be_purged,
)
from django_voicepassword.statistics.totals import Totals

logger = logging.getLogger(__name__)
#: Rows that are merged in one transaction, which then takes some tenths of a second.
CHUNK = 10_000


@dataclass
class DayReport:
    """The result of one run: the stored figures of the day, and how many calls were written."""

    statistics: DailyStatistics
    written: int = 0


@sensitive
@circuit.opens()
def sync_day(day: date, progress: Callable[[int], None] | None = None) -> DayReport:
    """Merge the provider's statistics of ``day`` (a date in PROVIDER_TIME_ZONE) into our calls.

    It may be run again, also for today. ``progress`` is called with the number of rows read so far.

    Raises ProviderError: then the chunks that were merged stay merged, and the DailyStatistics of
    the day stay as they were.
    """
    rows = _Rows(factory.client().daily(day))
    database = router.db_for_write(CallRequest)
    now = timezone.now()
    merge = Merge(
        connections[database], now, day_bounds(day), imported_since(day, now), erased_until(day)
    )
    moments = Moments(zone_of(connections[database]))
    pairing = Pairing(find_lost_calls(day), day_bounds(day), database)
    totals = Totals()
    rows_read = 0
    chunks = ((len(chunk), pairing.sort(chunk, moments)) for chunk in _chunks(rows))
    ahead = Ahead(partial(next, chunks, None), in_thread=rows.may_be_read_in_a_thread)
    with closing(chunks), ahead, rows.wanted():
        while (found := ahead.next()) is not None:
            length, chunk = found
            totals = transactions.atomic_with_retry(
                partial(_merge_chunk, merge, pairing, chunk, moments, totals, ahead.begin), database
            )
            rows_read += length
            if progress is not None:
                progress(rows_read)
    statistics = _store(day, totals, rows_read, rows)
    signals.daily_synced.send_robust(sender=DailyStatistics, statistics=statistics)
    return DayReport(statistics, totals.written)


def provider_today(now: datetime | None = None) -> date:
    """Return the date of ``now`` (default: the current time) in PROVIDER_TIME_ZONE."""
    return day_of(now or timezone.now())


class _Rows:
    """The rows of a report, which a client of the host project gives as Reports."""

    def __init__(self, report: Iterable[Report]) -> None:
        self.report = report
        #: How many Reports were no rows.
        self.unreadable = 0
        self._are_wanted = True

    @contextmanager
    def wanted(self) -> Iterator[None]:
        """Stop a thread that reads at its next row, once the block has ended, perhaps early."""
        try:
            yield
        finally:
            self._are_wanted = False

    @property
    def may_be_read_in_a_thread(self) -> bool:
        """Whether the rows are our own client's.

        Iterables of the host project may read the database, which would open a connection of the
        thread's own.
        """
        return isinstance(self.report, DailyReport)

    def __iter__(self) -> Iterator[DailyRow]:
        if isinstance(self.report, DailyReport):
            for row in self.report.lean():
                if not self._are_wanted:
                    return
                yield row
            return
        for item in self.report:
            try:
                yield row_of(item)
            except UnreadableReply as error:
                self.unreadable += 1
                logger.warning("a row of the daily statistics cannot be read: %s", error)


def _chunks(rows: Iterable[DailyRow]) -> Iterator[list[DailyRow]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _merge_chunk(
    merge: Merge,
    pairing: Pairing,
    chunk: SortedChunk,
    moments: Moments,
    totals: Totals,
    meanwhile: Callable[[], None],
) -> Totals:
    """Merge a chunk, and return ``totals`` with its figures; ``totals`` itself stays unchanged."""
    _lock()
    counted = copy.deepcopy(totals)
    merge.chunk(pairing.pair(chunk), moments, counted, meanwhile)
    return counted


def _store(day: date, totals: Totals, rows_read: int, rows: _Rows) -> DailyStatistics:
    """Write the DailyStatistics of the day. Rows that are missing or unreadable are logged."""
    # A client of the host project may give an iterable without these attributes.
    report = rows.report
    unreadable = getattr(report, "unreadable", 0) + rows.unreadable + totals.unreadable
    unreadable_rows = [*getattr(report, "unreadable_rows", []), *totals.unreadable_rows]
    rows_read -= totals.unreadable
    announced_rows = getattr(report, "rows", None)
    check_rows(rows_read, unreadable, announced_rows)
    if not rows_read and announced_rows is None:
        _check_that_none_are_stored(day)
    values: Mapping[str, Any] = {
        "rows": rows_read,
        "total_price": totals.price,
        "counts": {channel: dict(states) for channel, states in totals.counts.items()},
        "matched": totals.matched,
        "imported": totals.imported,
        "mismatched": totals.mismatched,
        "missing": _count_missing(day),
        "told_rows": announced_rows,
        "unreadable": unreadable,
        "unreadable_rows": unreadable_rows[:MAX_UNREADABLE_KEPT],
        "synced_at": timezone.now(),
    }
    if unreadable:
        logger.warning("statistics of %s: %s rows cannot be read", day, unreadable)
    rows_sent = rows_read + unreadable
    if announced_rows is not None and announced_rows != rows_sent:
        logger.warning(
            "statistics of %s: the provider says %s rows and sends %s",
            day,
            announced_rows,
            rows_sent,
        )

    def store() -> DailyStatistics:
        # The lock comes first because it writes. On SQLite a transaction that begins with a read
        # cannot wait for a writer; it fails.
        _lock()
        stored = DailyStatistics.objects.filter(date=day).first()
        if stored is not None and may_be_purged(day, deleted_until()):
            figures = kept_figures(stored, totals, values)
        else:
            figures = values
        statistics, _ = DailyStatistics.objects.update_or_create(date=day, defaults=figures)
        return statistics

    return transactions.atomic_with_retry(store, router.db_for_write(DailyStatistics))


def _check_that_none_are_stored(day: date) -> None:
    """Raise UnreadableReply if an earlier run has found rows: a day does not lose them."""
    if DailyStatistics.objects.filter(date=day, rows__gt=0).exists():
        raise UnreadableReply(
            "the statistics have no rows and do not say how many there are, but had some before"
        )


def _count_missing(day: date) -> int:
    """Count the calls of this site that may have rung on ``day`` and that no run has found."""
    begins, ends = day_bounds(day)
    calls = CallRequest.objects.filter(
        origin=CallRequest.Origin.APP,
        listed_at__isnull=True,
        claimed_at__isnull=False,
        created_at__gte=for_field(begins),
        created_at__lt=for_field(ends),
    ).exclude(state__in=[*CallRequest.UNSENT_STATES, CallRequest.State.PLACING])
    # Calls to test numbers are never sent.
    return calls.exclude(service=CallRequest.TEST_SERVICE).count()


def _lock() -> None:
    """Let runs take turns until the transaction ends.

    Also those of two days: both may import one row, and on MySQL a run takes all imported calls
    with a greater key than the last for its own.
    """
    limits.lock("sync")
