"""Where a send stands: which open trips cover it. One SELECT, and no row is locked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, connections, transaction
from django.db.models import Exists, QuerySet
from django.utils import timezone

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.limits import selects
from django_voicepassword.limits.counters import database
from django_voicepassword.limits.guard import state as states
from django_voicepassword.limits.guard.state import State
from django_voicepassword.limits.guard.subjects import active_key, subjects_of
from django_voicepassword.limits.guard.watching import watch
from django_voicepassword.limits.selects import Counters
from django_voicepassword.models import FraudTrip

logger = logging.getLogger(__name__)

_SENDS, _GUESSES = FraudTrip.Cause.SENDS, FraudTrip.Cause.GUESSES


@dataclass(frozen=True)
class Standing:
    """What the guard says of an unproven send to one number from one address.

    ``trips`` are the open trips that cover it, whatever FRAUD_GUARD says; those that an outage
    excuses are left out. ``usual`` is for ``Terms.usual``: the conversion (0 to 1) that the block
    of the number is judged by, or None where it is not judged, because an outage excuses it, its
    trip is open already, or FRAUD_GUARD is "off". ``has_control`` is for ``trip_block``.
    """

    trips: tuple[FraudTrip, ...] = ()
    usual: float | None = None
    has_control: bool = False
    #: The counters that ``read`` was asked for beside; None where it had nothing to read.
    counters: Counters | None = field(default=None, compare=False, repr=False)

    @property
    def is_covered(self) -> bool:
        """Whether a trip covers the send. With FRAUD_GUARD "audit" it is sent as usual."""
        return bool(self.trips)

    @property
    def is_enforced(self) -> bool:
        """Whether a trip covers the send and refuses: the send needs the step-up."""
        return self.is_covered and settings.FRAUD_GUARD == "enforce"

    @property
    def is_by_guesses(self) -> bool:
        """Whether wrong guesses tripped the site: then only a long code helps."""
        return any(trip.cause == _GUESSES for trip in self.trips)


def read(phone: str, address: str, now: datetime, keys: Sequence[str] = ()) -> Standing:
    """Return what the guard says of an unproven send to ``phone``.

    ``keys`` are those of counters that the caller needs: they are read with the same statement.

    ``address`` is what ``client_ip.counted_address`` returns. Without a beat the guard still
    works: where its last watch is too old, this function runs it, for one caller at a time.
    Call it outside the transaction that counts.
    """
    if settings.FRAUD_GUARD == "off":
        return Standing()
    trips, state, watched_at, counters = _select(phone, address, keys)
    if states.is_due(watched_at, now) and _watch(now):
        trips, state, _, _ = _select(phone, address, ())
    usual: float | None = state.usual.unproven * state.factor
    if state.is_outage(phones.operator_prefix(phone)):
        trips = [trip for trip in trips if trip.cause != _SENDS]
        usual = None
    if any(trip.kind == FraudTrip.Kind.BLOCK for trip in trips):
        usual = None
    return Standing(tuple(trips), usual, state.has_control, counters)


def is_tripped_by_guesses() -> bool:
    """Return whether wrong guesses have tripped the site, and FRAUD_GUARD is "enforce".

    Then short codes of the unproven lane are not compared.
    """
    return settings.FRAUD_GUARD == "enforce" and _trips_by_guesses().exists()


def tripped_by_guesses() -> Exists:
    """Return the condition "wrong guesses have tripped the site", whatever FRAUD_GUARD is."""
    return Exists(_trips_by_guesses())


def _trips_by_guesses() -> QuerySet[FraudTrip]:
    key = active_key(FraudTrip.Kind.SITE, _GUESSES, "")
    return FraudTrip.objects.filter(active_key=key)


def _select(
    phone: str, address: str, more: Sequence[str]
) -> tuple[list[FraudTrip], State, datetime | None, Counters]:
    """Read the open trips of a send, the state of the guard and ``more`` with one statement."""
    keys = [active_key(kind, _SENDS, subject) for kind, subject in subjects_of(phone, address)]
    keys.append(active_key(FraudTrip.Kind.SITE, _GUESSES, ""))
    trips, state, watched_at = [], State(), None
    counters: Counters = {}
    for key, text, threshold, pk, at in selects.trips_and_counters(keys, [states.KEY, *more]):
        if key == states.KEY:
            state, watched_at = states.parse(text), at
        elif key in more:
            counters[key] = (text, at)
        else:
            kind, cause, subject = key.split(":", 2)
            trips.append(
                FraudTrip(
                    pk=pk,
                    kind=kind,
                    cause=cause,
                    subject=subject,
                    active_key=key,
                    mode=text,
                    threshold=threshold,
                    tripped_at=at,
                )
            )
    return trips, state, watched_at, counters


def _watch(now: datetime) -> bool:
    """Run the watch if nobody else does. Return False where it did not run.

    Inside a transaction of the project it runs after the commit: what it locks would stay locked
    until then, and every other start would wait.
    """
    if connections[database()].in_atomic_block:
        transaction.on_commit(lambda: _claim_and_watch(timezone.now()), database(), robust=True)
        return False
    return _claim_and_watch(now)


def _claim_and_watch(now: datetime) -> bool:
    """It must not stop the request: where it fails, the next one tries again."""
    try:
        if not states.claim_watch(now):
            return False
        watch(now)
    except DatabaseError:
        logger.exception("the guard cannot watch")
        return False
    return True
