"""Delete old history, or mask its numbers and keep its figures. Open rows always stay.

It works in batches: each is a short transaction, and an interrupted run can be continued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from django.db import router
from django.db.models import Model, QuerySet, Value
from django.db.models.functions import Concat, Length, Substr
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.conf import settings
from django_voicepassword.history import traces
from django_voicepassword.history.outdated import MASK, Outdated, unmasked
from django_voicepassword.limits import purged
from django_voicepassword.models import CallStatus
from django_voicepassword.transactions import atomic_with_retry

#: Rows in one statement, so that it holds its row locks only briefly.
BATCH = 1000
#: Called with the number of rows done so far.
Progress = Callable[[int], None]
Row = TypeVar("Row", bound=Model)
#: The primary key of a row: an integer, or the UUID of a verification.
Key = Any


def purge(now: datetime | None = None, progress: Progress | None = None) -> int:
    """Delete or mask (RETENTION) the rows older than RETENTION_DAYS; return how many there were.

    Old counters of limits, expired devices and refused attempts of more than 30 days are deleted
    even where RETENTION_DAYS is None. DailyStatistics and verified phones stay. After an
    interruption the next run continues.

    A masked row has no user and no client address, and nothing beside it tells the end of its
    number.
    """
    now = now or timezone.now()
    outdated, batches = Outdated(now), _Batches(progress)
    limits.purge(outdated.counters_before)
    batches.delete(outdated.devices, "last_used_at")
    batches.delete(outdated.refusals, "last_at")
    if outdated.before is None:
        return batches.done
    traces.remove_old(outdated.before)
    if settings.RETENTION == "mask":
        batches.mask(
            outdated.calls,
            _remove_traces,
            **{**traces.VALUES, "counted_address": "", "idempotency": None},
        )
        batches.mask(outdated.verifications, user=None, ip=None, idempotency_digest=None)
        # A network may have belonged to one household; a block is what a masked number keeps.
        outdated.networks.update(subject="")
        return batches.done
    if outdated.calls.exists():
        # First: an interrupted run has deleted some of them.
        purged.note(outdated.before)
    batches.delete(
        outdated.calls,
        delete_related=lambda keys: CallStatus.objects.filter(call__in=keys).delete(),
    )
    batches.delete(outdated.verifications.filter(calls__isnull=True))
    batches.delete(outdated.trips, "tripped_at")
    batches.delete(outdated.readings, "read_at")
    return batches.done


class _Batches:
    """Deletes and masks rows in batches, and counts them in ``done``."""

    def __init__(self, progress: Progress | None) -> None:
        self.done = 0
        self._progress = progress

    def delete(
        self,
        rows: QuerySet[Row],
        moment: str = "created_at",
        delete_related: Callable[[list[Key]], object] | None = None,
    ) -> None:
        """Delete ``rows``. ``delete_related`` deletes first what refers to the rows of a batch."""
        for keys in _batches(rows, moment):
            batch = rows.model._default_manager.filter(pk__in=keys)
            related = partial(delete_related, keys) if delete_related else None
            self._write(rows, partial(_in_order, related, batch.delete))
            self._count(len(keys))

    def mask(
        self,
        rows: QuerySet[Row],
        mask_related: Callable[[list[Key]], object] | None = None,
        **values: object,
    ) -> None:
        """Mask the phone of ``rows``, and write ``values`` into their other fields.

        ``mask_related`` masks first what refers to the rows of a batch.
        """
        masked = Concat(Substr("phone", 1, Length("phone") - 4), Value(MASK))
        rows = unmasked(rows)
        for keys in _batches(rows, "created_at"):
            batch = rows.model._default_manager.filter(pk__in=keys)
            related = partial(mask_related, keys) if mask_related else None
            update = partial(batch.update, phone=masked, **values)
            self._write(rows, partial(_in_order, related, update))
            self._count(len(keys))

    @staticmethod
    def _write(rows: QuerySet[Row], write: Callable[[], object]) -> None:
        atomic_with_retry(write, router.db_for_write(rows.model))

    def _count(self, rows: int) -> None:
        self.done += rows
        if self._progress is not None:
            self._progress(self.done)


def _remove_traces(calls: list[Key]) -> None:
    traces.remove_reports(calls)
    # The admin's history may be in another database: its rows are masked first, and again where
    # this batch has to be repeated.
    traces.remove_log_entries(calls)


def _in_order(first: Callable[[], object] | None, second: Callable[[], object]) -> None:
    if first is not None:
        first()
    second()


def _batches(rows: QuerySet[Row], moment: str) -> Iterator[list[Key]]:
    """Return the keys of ``rows`` in batches, the oldest first by the indexed field ``moment``.

    The caller must change or delete each batch so that ``rows`` does not contain it any more.

    A batch begins at the ``moment`` where the one before ended. So the index entries of rows that
    are masked already are scanned once, not once for each batch.
    """
    batch = list(rows.order_by(moment).values_list("pk", moment)[:BATCH])
    while batch:
        yield [key for key, _ in batch]
        batch = list(
            rows.filter(**{f"{moment}__gte": batch[-1][1]})
            .order_by(moment)
            .values_list("pk", moment)[:BATCH]
        )
