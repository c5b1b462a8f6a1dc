"""History that is old enough is deleted, or its numbers are masked and its figures stay; in
batches, never what is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Model, QuerySet, Value
from django.db.models.functions import Concat, Length, Substr
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading, CallRequest, CallStatus, Verification

#: Rows in one statement: no lock is held for long.
BATCH = 1000
#: What stands for the last digits of a masked number; its block of numbers stays, for the
#: statistics.
MASK = "****"

Progress = Callable[[int], None]


def purge(now: datetime | None = None, progress: Progress | None = None) -> int:
    """Delete or mask (RETENTION) what is older than RETENTION_DAYS; how many rows that were.
    Counters of limits go anyway.

    Run again, it goes on where it was stopped. DailyStatistics and verified phones stay.
    """
    now = now or timezone.now()
    limits.purge(now - limits.longest_period() - timedelta(days=2))
    days = settings.RETENTION_DAYS
    if days is None:
        return 0
    before = now - timedelta(days=days)
    work = _Work(progress)
    open_states = [CallRequest.State.QUEUED, CallRequest.State.PLACING]
    calls = CallRequest.objects.filter(created_at__lt=before).exclude(state__in=open_states)
    calls = calls.exclude(verification__expires_at__gte=now)
    verifications = Verification.objects.filter(created_at__lt=before, expires_at__lt=now)
    if settings.RETENTION == "mask":
        work.mask(calls)
        work.mask(verifications, ip=None)
        return work.done
    work.delete(calls, first=lambda keys: CallStatus.objects.filter(call__in=keys).delete())
    work.delete(verifications.filter(calls__isnull=True))
    newest = BalanceReading.objects.aggregate(newest=Max("pk"))["newest"]
    work.delete(BalanceReading.objects.filter(read_at__lt=before).exclude(pk=newest), "read_at")
    return work.done


class _Work:
    """Batches, counted."""

    def __init__(self, progress: Progress | None) -> None:
        self.done = 0
        self._progress = progress

    def delete(
        self,
        rows: QuerySet[Any],
        moment: str = "created_at",
        first: Callable[[list[Any]], object] | None = None,
    ) -> None:
        for keys in _batches(rows, moment):
            if first is not None:
                first(keys)
            rows.model._default_manager.filter(pk__in=keys).delete()
            self._count(len(keys))

    def mask(self, rows: QuerySet[Any], **values: Any) -> None:
        model: type[Model] = rows.model
        masked = Concat(Substr("phone", 1, Length("phone") - 4), Value(MASK))
        rows = rows.exclude(phone__endswith=MASK)
        for keys in _batches(rows, "created_at"):
            model._default_manager.filter(pk__in=keys).update(phone=masked, **values)
            self._count(len(keys))

    def _count(self, rows: int) -> None:
        self.done += rows
        if self._progress is not None:
            self._progress(self.done)


def _batches(rows: QuerySet[Any], moment: str) -> Iterator[list[Any]]:
    """The keys of ``rows``, the oldest first by the indexed ``moment``; who takes a batch makes
    that ``rows`` has it no more.

    Each begins where the one before ended: what is masked already is walked over once, not once a
    batch.
    """
    found = list(rows.order_by(moment).values_list("pk", moment)[:BATCH])
    while found:
        yield [key for key, _ in found]
        found = list(
            rows.filter(**{f"{moment}__gte": found[-1][1]})
            .order_by(moment)
            .values_list("pk", moment)[:BATCH]
        )
