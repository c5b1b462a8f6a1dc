"""Asking for what nobody reported: calls without a final state, calls whose worker died, calls
whose task was lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.calls import recording
from django_voicepassword.calls.errors import NO_FINAL_STATE
from django_voicepassword.calls.recovery import lose_abandoned, restamp, stuck_in_queue
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError, RequestRefused
from django_voicepassword.limits.alarms import ACCOUNT_REFUSED
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider import factory

logger = logging.getLogger(__name__)
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
    stuck: list[int]


def poll(now: datetime | None = None) -> Polled:
    """Everything that is done every few seconds. Who calls it hands ``stuck`` in again."""
    now = now or timezone.now()
    restamp(now)
    lost = lose_abandoned(now)
    Verification.expire_old(now)
    return Polled(poll_due(now), lost, stuck_in_queue(now))


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
    if call.mark_unresolved(error_code[:200], now):
        recording.announce_move(call, old_state, CallStatus.Source.POLL)


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
    return recording.record(call_id, report, CallStatus.Source.POLL)
