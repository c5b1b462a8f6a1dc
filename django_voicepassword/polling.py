"""Asking for what nobody reported: calls without a final state, calls whose worker died, calls
whose task was lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from django_voicepassword import delivery, limits
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError, RequestRefused
from django_voicepassword.limits.alarms import ACCOUNT_REFUSED
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider import factory

logger = logging.getLogger(__name__)

#: Seconds beyond the read timeout after which a call in PLACING has surely lost its worker.
ABANDONED_MARGIN = 30
#: The error code of a call that was asked for at every delay and never had a final state.
NO_FINAL_STATE = "no_final_state"
#: Calls asked for in one run: the next run takes the rest.
BATCH = 200
#: Seconds after which a call is asked for again where the account was refused.
REFUSED_PAUSE = 60


@dataclass(frozen=True)
class Polled:
    """What one run did: how many calls were asked for, which lost their worker, and which no worker
    has taken yet.
    """

    asked: int
    lost: list[int]
    forgotten: list[int]


def poll(now: datetime | None = None) -> Polled:
    """Everything that is done every few seconds. Who calls it hands ``forgotten`` in again."""
    now = now or timezone.now()
    restamp(now)
    lost = lose_abandoned(now)
    Verification.expire_old(now)
    return Polled(poll_due(now), lost, forgotten_in_queue(now))


def restamp(now: datetime | None = None) -> None:
    """A clock that stepped back leaves rows of the future: they are taken as of now, so that
    nothing waits for it to return.

    A verification lives one lifetime from here, a call that was asked for is polled from here, and
    a worker that died or a task that was lost is noticed as soon as ever.
    """
    now = now or timezone.now()
    future = now + timedelta(seconds=limits.SKEW)
    pending = Verification.objects.filter(status=Verification.Status.PENDING)
    pending.filter(created_at__gt=future).update(
        created_at=now, expires_at=now + timedelta(seconds=settings.CODE_TTL)
    )
    pending.filter(last_sent_at__gt=future).update(last_sent_at=now)
    unsent = CallRequest.objects.filter(
        state__in=[CallRequest.State.QUEUED, CallRequest.State.PLACING]
    )
    unsent.filter(created_at__gt=future).update(created_at=now)
    unsent.filter(claimed_at__gt=future).update(claimed_at=now)
    if settings.POLL_DELAYS:
        first = now + timedelta(seconds=settings.POLL_DELAYS[0])
        CallRequest.objects.filter(next_poll_at__gt=future, placed_at__gt=future).update(
            placed_at=now, next_poll_at=first
        )


def is_ahead(verification: Verification) -> bool:
    """Was it made, or sent for, by a clock that has stepped back since?"""
    future = timezone.now() + timedelta(seconds=limits.SKEW)
    moments = (verification.created_at, verification.last_sent_at)
    return verification.status == Verification.Status.PENDING and any(
        one and one > future for one in moments
    )


def poll_due(now: datetime | None = None) -> int:
    """Ask for the state of every call whose time has come, oldest first; how many were asked for.

    Each is claimed by moving its ``next_poll_at`` before it is asked for, so that several workers
    ask once. Stops where the account is refused, since the next one would be refused too, with one
    alarm in the log until the provider answers again; what was asked for in vain is asked for
    again.
    """
    now = now or timezone.now()
    due = CallRequest.objects.filter(next_poll_at__lte=now).order_by("next_poll_at")[:BATCH]
    asked, answered = 0, False
    for call in due:
        if not _claim_poll(call, now):
            continue
        asked += 1
        try:
            refresh(call.pk)
        except AccountRefused as error:
            if limits.raise_alarm(ACCOUNT_REFUSED):
                logger.error(
                    "polling stops: the provider refuses the account: %s", error.error_code
                )
            _unclaim_poll(call, now)
            break
        except RequestRefused as error:
            # ID_Not_Found: asking again tells nothing else.
            logger.warning("call %s: the provider does not know it: %s", call.pk, error.error_code)
            _give_up(call.pk, error.error_code, now)
        except ProviderError as error:
            logger.warning("call %s: its state cannot be read: %s", call.pk, error)
        except ValueError:
            # The provider told no id, or none that can be asked for: only the daily statistics find
            # it.
            logger.warning("call %s has no id to ask for", call.pk)
            _give_up(call.pk, NO_FINAL_STATE, now)
        else:
            answered = True
        if call.polls + 1 >= len(settings.POLL_DELAYS):
            _give_up(call.pk, NO_FINAL_STATE, now)
    if answered:
        limits.clear_alarm(ACCOUNT_REFUSED)
    return asked


def _give_up(call_id: int, error_code: str, now: datetime) -> None:
    """Nobody tells how it ended: UNKNOWN, and why. A late callback and the daily statistics still
    move it.
    """
    call = CallRequest.objects.get(pk=call_id)
    old_state = call.state
    if call.mark_silent(error_code[:200], now):
        delivery.announce_move(call, old_state, CallStatus.Source.POLL)


def _claim_poll(call: CallRequest, now: datetime) -> bool:
    delays = settings.POLL_DELAYS
    done = call.polls + 1
    begin = call.placed_at or call.created_at
    following = begin + timedelta(seconds=delays[done]) if done < len(delays) else None
    if following is not None and following <= now:
        # A worker that slept for long asks once, not once for each delay that passed.
        following = now + timedelta(seconds=delays[0])
    moved = CallRequest.objects.filter(pk=call.pk, next_poll_at=call.next_poll_at)
    return bool(moved.update(next_poll_at=following, polls=F("polls") + 1))


def _unclaim_poll(call: CallRequest, now: datetime) -> None:
    """The account is refused, whatever was asked: the same question again after a minute."""
    later = now + timedelta(seconds=REFUSED_PAUSE)
    CallRequest.objects.filter(pk=call.pk).exclude(state__in=CallRequest.FINAL_STATES).update(
        next_poll_at=later, polls=F("polls") - 1
    )


def refresh(call_id: int) -> CallStatus | None:
    """Ask the provider for the state of one call request and keep the answer.

    Raises ProviderError; ValueError where the provider never told an id.
    """
    call = CallRequest.objects.get(pk=call_id)
    if not call.provider_id:
        raise ValueError(
            "the provider never told an id for this call: only the daily statistics can find it"
        )
    report = factory.client().state(call.provider_id)
    return delivery.record(call_id, report, CallStatus.Source.POLL)


def lose_abandoned(now: datetime | None = None) -> list[int]:
    """PLACING -> UNKNOWN for every call whose worker must have died: older than the read timeout
    and a margin.
    """
    now = now or timezone.now()
    connect, read = settings.TIMEOUT
    # The client reads a dripping answer for twice the read timeout.
    patience = timedelta(seconds=connect + 2 * read + ABANDONED_MARGIN)
    lost = CallRequest.lose_abandoned(now - patience, now)
    for pk in lost:
        call = CallRequest.objects.get(pk=pk)
        logger.error("call %s lost its worker: it may have rung, and is not placed again", pk)
        delivery.announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)
    return lost


def forgotten_in_queue(now: datetime | None = None) -> list[int]:
    """Calls that are QUEUED longer than any retry takes: their task was lost, and claiming makes a
    second one safe.
    """
    now = now or timezone.now()
    before = now - timedelta(seconds=2 * delivery.LONGEST_RETRY)
    waiting = CallRequest.objects.filter(state=CallRequest.State.QUEUED, created_at__lt=before)
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:1000])
