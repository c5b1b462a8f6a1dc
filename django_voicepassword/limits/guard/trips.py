"""The life of a trip: it begins once, is told once, and ends once."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import IntegrityError
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import database
from django_voicepassword.limits.guard.subjects import active_key, block_of, condition
from django_voicepassword.limits.guard.windows import TAKEN, WINDOW, unproven
from django_voicepassword.limits.terms import BlockTripped
from django_voicepassword.models import FraudTrip, LimitCounter
from django_voicepassword.security import audit
from django_voicepassword.transactions import atomic_with_retry, retry

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

logger = logging.getLogger(__name__)


def trip(
    kind: str,
    subject: str,
    cause: str,
    now: datetime,
    failures: int,
    threshold: int,
    conversion: float | None = None,
    usual: float | None = None,
) -> FraudTrip:
    """Return the open trip of a subject; whoever inserts it writes the log and sends the signal.

    ``failures`` and ``threshold`` are numbers in an hour, ``conversion`` and ``usual`` shares from
    0 to 1.
    """
    begun = FraudTrip(
        kind=kind,
        subject=subject,
        cause=cause,
        mode=settings.FRAUD_GUARD,
        active_key=active_key(kind, cause, subject),
        failures=failures,
        threshold=threshold,
        conversion=conversion,
        usual=usual,
        tripped_at=now,
    )
    try:
        atomic_with_retry(lambda: begun.save(force_insert=True), database())
    except IntegrityError:
        known = FraudTrip.objects.filter(active_key=begun.active_key).first()
        if known is not None:
            return known
        # It has ended since: the next failure trips it again.
        return begun
    _tell(begun)
    return begun


def _tell(begun: FraudTrip) -> None:
    audit.guard_tripped(
        _named(begun),
        begun.mode,
        begun.failures,
        begun.threshold,
        begun.conversion,
        begun.usual,
    )
    signals.announce(
        signals.fraud_suspected,
        FraudTrip,
        database(),
        kind=begun.kind,
        subject=begun.subject,
        failures=begun.failures,
        conversion=begun.conversion,
        mode=begun.mode,
    )


def _named(trip: FraudTrip) -> str:
    """Return a trip as the log names it, for example ``prefix 7999, sends``."""
    return f"{trip.kind} {trip.subject}".strip() + f", {trip.cause}"


def trip_block(
    phone: str, tripped: BlockTripped, has_control: bool, usual: float, now: datetime
) -> FraudTrip | None:
    """Trip the block of ``phone``, whose reservation raised ``tripped``; return its open trip.

    Return None where the failures do not count, because the provider did not take the calls, and
    there are too few proven people to tell an outage from an attack (``Standing.has_control``).
    Then the send goes on with ``Terms.usual`` None. Call it outside the transaction that counts.
    """
    block = block_of(phone)
    if not has_control and _taken(block, now) < tripped.threshold - 1:
        return None
    return trip(
        FraudTrip.Kind.BLOCK,
        block,
        FraudTrip.Cause.SENDS,
        now,
        failures=tripped.failures,
        threshold=tripped.threshold,
        conversion=tripped.conversion,
        usual=usual,
    )


def _taken(block: str, now: datetime) -> int:
    """Return the open sends of a block in the last hour that the provider took."""
    of_block = condition((FraudTrip.Kind.BLOCK, block), "counted_address")
    calls = unproven(now - WINDOW, now).filter(of_block, is_open=True, state__in=TAKEN)
    return calls.count()


def open_trips(most: int) -> list[FraudTrip]:
    """Return the trips that are open, the oldest first, ``most`` of them at most."""
    rows = FraudTrip.objects.filter(active_key__isnull=False)
    return list(rows.order_by("tripped_at", "id")[:most])


def set_quiet(trip: FraudTrip, quiet_since: datetime | None) -> None:
    """Note since when the failures of an open trip have stayed under its threshold."""
    if trip.quiet_since != quiet_since:
        trip.quiet_since = quiet_since
        row = FraudTrip.objects.filter(pk=trip.pk)
        retry(lambda: row.update(quiet_since=quiet_since), database())


def end(trip: FraudTrip, reason: str, now: datetime) -> bool:
    """End an open trip. True for exactly one of several callers.

    The failures that it has covered count no more: else it would trip again at once.
    """
    values = {"ended_at": now, "end": reason, "active_key": None}
    open_row = FraudTrip.objects.filter(pk=trip.pk, ended_at__isnull=True)
    if not retry(lambda: open_row.update(**values), database()):
        return False
    if trip.kind == FraudTrip.Kind.BLOCK:
        retry(LimitCounter.objects.filter(key=f"block:{trip.subject}").delete, database())
    for name, value in values.items():
        setattr(trip, name, value)
    if reason != FraudTrip.End.STAFF:
        audit.trip_ended(_named(trip), reason)
    return True


def lift(
    trip: FraudTrip, user: AbstractBaseUser | AnonymousUser | None, now: datetime | None = None
) -> bool:
    """End a trip because ``user`` says so. Return False where it has ended already."""
    if not end(trip, FraudTrip.End.STAFF, now or timezone.now()):
        return False
    audit.trip_lifted(user, _named(trip))
    return True
