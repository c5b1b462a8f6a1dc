"""What a purge deletes or masks: the rows that are older than RETENTION_DAYS, and how many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Exists, Max, Model, OuterRef, QuerySet
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.conf import settings
from django_voicepassword.limits import counters, refusals
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    CallStatus,
    FraudTrip,
    LimitCounter,
    RefusedAttempt,
    TrustedDevice,
    Verification,
)
from django_voicepassword.models.moments import oldest_kept
from django_voicepassword.security import masking

#: Replaces the last four digits of a number. The block of numbers before them stays, for the
#: figures by prefix.
MASK = "****"

Row = TypeVar("Row", bound=Model)


class Outdated:
    """The rows that a purge at ``now`` deletes or masks.

    ``before`` is the moment from which history is kept; None: all of it is kept, and only
    ``counters``, ``devices`` and ``refusals`` are outdated.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.before = oldest_kept(now)
        #: A counter of limits that was used last before this moment counts nothing any more.
        self.counters_before = now - limits.longest_period() - timedelta(days=2)
        self.devices = TrustedDevice.expired(now)
        refused_before = max(filter(None, (now - refusals.KEPT, self.before)))
        self.refusals = RefusedAttempt.objects.filter(last_at__lt=refused_before)

    @property
    def counters(self) -> QuerySet[LimitCounter]:
        return counters.unused(self.counters_before)

    @property
    def calls(self) -> QuerySet[CallRequest]:
        open_states = [CallRequest.State.QUEUED, CallRequest.State.PLACING]
        calls = CallRequest.objects.filter(created_at__lt=self.before)
        calls = calls.exclude(state__in=open_states)
        return calls.exclude(verification__expires_at__gte=self._now)

    @property
    def verifications(self) -> QuerySet[Verification]:
        """Those with a call that stays are not deleted, but they are masked."""
        return Verification.objects.filter(created_at__lt=self.before, expires_at__lt=self._now)

    @property
    def trips(self) -> QuerySet[FraudTrip]:
        return FraudTrip.objects.filter(tripped_at__lt=self.before, ended_at__isnull=False)

    @property
    def networks(self) -> QuerySet[FraudTrip]:
        """The trips of a network, whose address is masked."""
        return self.trips.filter(kind=FraudTrip.Kind.NETWORK).exclude(subject="")

    @property
    def readings(self) -> QuerySet[BalanceReading]:
        """All but the newest."""
        newest = BalanceReading.objects.aggregate(newest=Max("pk"))["newest"]
        return BalanceReading.objects.filter(read_at__lt=self.before).exclude(pk=newest)


def count(now: datetime | None = None) -> dict[str, int]:
    """Return how many rows of which kind ``purge`` would delete or mask: name -> rows.

    The names are those of the models, in the active language. Kinds without such rows are left out.
    """
    now = now or timezone.now()
    outdated = Outdated(now)
    rows: list[QuerySet[Any]] = [
        outdated.counters,
        outdated.devices,
        outdated.refusals,
    ]
    if outdated.before is not None and settings.RETENTION == "mask":
        rows += map(unmasked, (outdated.calls, outdated.verifications))
        rows.append(outdated.networks)
    elif outdated.before is not None:
        # What is not deleted because a call of it stays.
        kept = CallRequest.objects.filter(verification=OuterRef("pk")).exclude(
            pk__in=outdated.calls.values("pk")
        )
        rows += [
            outdated.calls,
            CallStatus.objects.filter(call__in=outdated.calls),
            outdated.verifications.exclude(Exists(kept)),
            outdated.trips,
            outdated.readings,
        ]
    counts = {str(kind.model._meta.verbose_name_plural): kind.count() for kind in rows}
    return {name: number for name, number in counts.items() if number}


def unmasked(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.exclude(phone__endswith=MASK).exclude(phone=masking.ERASED)
