"""Ask the provider for the states of calls that no callback reported."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import F
from django.utils import timezone

from django_voicepassword.calls import recording, writing
from django_voicepassword.calls.errors import NO_FINAL_STATE
from django_voicepassword.calls.recovery import lose_abandoned, restamp, stuck_in_queue
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError, RequestRefused
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.models.moments import after
from django_voicepassword.provider import factory

logger = logging.getLogger(__name__)

#: Calls that one run asks for; the next run takes the rest.
BATCH = 200
#: Seconds until a call is asked for again after the provider refused the account.
REFUSED_PAUSE = 60


@dataclass(frozen=True)
class Polled:
    """What one run did: the number of calls that it asked for, the primary keys of calls whose
    worker died, and those of calls that no worker has taken.
    """

    asked: int
    lost: list[int]
    stuck: list[int]


def poll(now: datetime | None = None) -> Polled:
    """Everything that is due every few seconds. The caller hands in ``stuck`` calls again."""
    now = now or timezone.now()
    restamp(now)
    lost = lose_abandoned(now)
    writing.in_statement(partial(Verification.expire_old, now))
    return Polled(poll_due(now), lost, stuck_in_queue(now))


def poll_due(now: datetime | None = None) -> int:
    """Ask for the state of each call that is due, oldest first; how many were asked for.

    Moving ``next_poll_at`` claims a call, so several workers ask for it once. The run stops when
    the provider refuses the account (a 401, the block, the money): it would refuse the next call
    too. The call is asked for again. Until the circuit is closed, later runs ask for nothing,
    unless the reason is money: states cost none.
    """
    now = now or timezone.now()
    refusal = circuit.refusal()
    if refusal is not None and not refusal.is_for_money:
        return 0
    due = CallRequest.objects.filter(next_poll_at__lte=now).order_by("next_poll_at")[:BATCH]
    asked = 0
    for call in due:
        if not _claim_poll(call, now):
            continue
        asked += 1
        try:
            _poll_one(call, now)
        except AccountRefused:
            _unclaim_poll(call, now)
            break
    return asked


def refresh(call_id: int) -> CallStatus | None:
    """Ask the provider for the state of one call request and record the answer.

    Raises ProviderError; ValueError where the call has no id of the provider.
    """
    call = CallRequest.objects.get(pk=call_id)
    if not call.provider_id:
        raise ValueError(
            "the provider never told an id for this call: only the daily statistics can find it"
        )
    with circuit.opens():
        report = factory.client().state(call.provider_id)
    return recording.record(call_id, report, CallStatus.Source.POLL)


def _poll_one(call: CallRequest, now: datetime) -> None:
    """Ask for one call that was claimed. Raises AccountRefused."""
    error_code = NO_FINAL_STATE
    is_last = call.polls + 1 >= len(settings.POLL_DELAYS)
    try:
        refresh(call.pk)
    except AccountRefused:
        raise
    except RequestRefused as error:
        # ID_Not_Found: a provider that lists a call late may know it at the next poll.
        logger.warning("call %s: the provider does not know it: %s", call.pk, error.error_code)
        error_code = error.error_code
    except ProviderError as error:
        logger.warning("call %s: its state cannot be read: %s", call.pk, error)
    except ValueError:
        # The call has no id, or one that cannot be sent: only the daily statistics can find it.
        logger.warning("call %s has no id to ask for", call.pk)
        is_last = True
    if is_last:
        _give_up(call.pk, error_code, now)


def _give_up(call_id: int, error_code: str, now: datetime) -> None:
    """Mark a call that is not final UNKNOWN, and why. A later report still moves it."""
    call = CallRequest.objects.get(pk=call_id)
    old_state = call.state
    if writing.in_statement(partial(call.mark_unresolved, error_code[:200], now)):
        recording.announce_move(call, old_state, CallStatus.Source.POLL)


def _claim_poll(call: CallRequest, now: datetime) -> bool:
    """Move ``next_poll_at`` to the next of POLL_DELAYS; False where another worker did so first."""
    delays = settings.POLL_DELAYS
    polls = call.polls + 1
    since = call.placed_at or call.created_at
    next_poll_at = after(since, delays[polls]) if polls < len(delays) else None
    if next_poll_at is not None and next_poll_at <= now:
        # Polls that were missed while no worker ran are not made up for: one replaces them.
        next_poll_at = after(now, delays[0])
    unclaimed = CallRequest.objects.filter(pk=call.pk, next_poll_at=call.next_poll_at)
    return bool(
        writing.in_statement(
            partial(unclaimed.update, next_poll_at=next_poll_at, polls=F("polls") + 1)
        )
    )


def _unclaim_poll(call: CallRequest, now: datetime) -> None:
    """Ask the same question again after a pause: the refusal was not about this call."""
    later = after(now, REFUSED_PAUSE)
    rows = CallRequest.objects.filter(pk=call.pk).exclude(state__in=CallRequest.FINAL_STATES)
    writing.in_statement(partial(rows.update, next_poll_at=later, polls=F("polls") - 1))
