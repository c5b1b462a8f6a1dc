"""What happens under an open trip, and whether it is over.

A failure under a trip is an open send, a start that the guard refused, or a challenge that the same
number did not solve within CODE_TTL. A solved challenge and an approval are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import Exists, OuterRef, Q, QuerySet

from django_voicepassword.conf import settings
from django_voicepassword.limits.guard.state import Usual
from django_voicepassword.limits.guard.subjects import Subject, condition, network_of
from django_voicepassword.limits.guard.windows import TAKEN, WINDOW, unproven
from django_voicepassword.models import CallRequest, FraudTrip, RefusedAttempt, Verification

#: A trip ends when its failures have stayed under its threshold for this long.
CALM = timedelta(hours=1)
#: It ends early by its last so many outcomes, of as many numbers and of at least so many networks,
#: when they converted at this part of the usual conversion.
OUTCOMES, NETWORKS, ENOUGH_PART = 20, 5, 2 / 3
#: How many rows of one kind are read at most to find the last outcomes: a number may have several.
_MOST_ROWS = 100
#: The reasons of RefusedAttempt that are failures.
_REFUSED, _CHALLENGED = "guard", "challenge_required"


@dataclass(frozen=True)
class Outcome:
    """How a send that a trip covers went: approved, or not."""

    phone: str = field(repr=False)
    address: str
    at: datetime
    is_approved: bool


def subject_of(trip: FraudTrip) -> Subject:
    return trip.kind, trip.subject


def of_trip(calls: QuerySet[CallRequest], trip: FraudTrip) -> QuerySet[CallRequest]:
    """Return those of ``calls`` that a trip covers."""
    return calls.filter(condition(subject_of(trip), "counted_address"))


def refusals(trip: FraudTrip, now: datetime, most: int) -> int:
    """Count the starts of the last hour that were refused under a trip, up to ``most``.

    Attempts to send to one number from one address count as one.
    """
    return _refused(trip, now - WINDOW, now)[:most].count()


def sends_of_block(trip: FraudTrip, now: datetime, has_control: bool) -> int:
    """Count the failures of a block in the last hour: the watch has no tally of blocks."""
    calls = of_trip(unproven(now - WINDOW, now), trip).filter(is_open=True)
    if not has_control:
        calls = calls.filter(state__in=TAKEN)
    return calls.count()


def converts_again(trip: FraudTrip, usual: Usual, now: datetime) -> bool:
    """Return whether the last outcomes under a trip are good enough to end it early.

    The refused starts are among them: while an attack is held off, it must not look as if only
    honest people came.
    """
    last = list(islice(_by_number(_outcomes(trip, now)), OUTCOMES))
    networks = {network_of(outcome.address) for outcome in last} - {""}
    if len(last) < OUTCOMES or len(networks) < NETWORKS:
        return False
    return sum(outcome.is_approved for outcome in last) >= enough(usual)


def enough(usual: Usual) -> float:
    """Return how many approvals among the last outcomes end a trip early."""
    return usual.unproven * ENOUGH_PART * OUTCOMES


def _by_number(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield the first outcome of each number."""
    seen = set()
    for outcome in outcomes:
        if outcome.phone not in seen:
            seen.add(outcome.phone)
            yield outcome


def _outcomes(trip: FraudTrip, now: datetime) -> list[Outcome]:
    """Return the last outcomes of what began under a trip in the last hour, the newest first.

    They are those of starts that are older than CODE_TTL. An approval comes within seconds, a
    failure only when the time is over: the last outcomes that are known would be approvals alone,
    while robots are refused.
    """
    since = max(trip.tripped_at, now - WINDOW)
    settled = now - timedelta(seconds=settings.CODE_TTL)
    rows = of_trip(unproven(since, now, until=settled), trip).order_by("-created_at", "-id")
    outcomes = [
        Outcome(phone, address, at, status == Verification.Status.APPROVED)
        for phone, address, at, status in rows.values_list(
            "phone", "counted_address", "created_at", "verification__status"
        )[:_MOST_ROWS]
    ]
    refused = _refused(trip, since, now).filter(last_at__lte=settled)
    for phone, address, at in refused.values_list("phone", "address", "last_at")[:_MOST_ROWS]:
        outcomes.append(Outcome(phone, address, at, is_approved=False))
    return sorted(outcomes, key=lambda outcome: outcome.at, reverse=True)


def _refused(trip: FraudTrip, since: datetime, now: datetime) -> QuerySet[RefusedAttempt]:
    """Return the refused starts under a trip, and the challenges that were not solved."""
    solved = CallRequest.objects.filter(
        phone=OuterRef("phone"),
        created_at__gte=OuterRef("last_at"),
        lane=CallRequest.Lane.UNPROVEN,
    )
    too_late = Q(last_at__lte=now - timedelta(seconds=settings.CODE_TTL)) & ~Exists(solved)
    failed = Q(reason=_REFUSED) | (Q(reason=_CHALLENGED) & too_late)
    rows = RefusedAttempt.objects.filter(failed, condition(subject_of(trip), "address"))
    return rows.filter(last_at__gt=since, last_at__lte=now).order_by("-last_at", "-id")
