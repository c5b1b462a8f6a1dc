"""Ask the provider for the states of calls that no callback reported."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event

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
from django_voicepassword.provider.protocol import Report

logger = logging.getLogger(__name__)

#: Calls that are claimed at once, and questions that are open at once.
BATCH, AT_ONCE = 384, 96
#: Seconds after which a run claims no more calls: beat starts the next one, which takes the rest.
RUN_FOR = 10.0
#: Seconds until a call is asked for again if its poll brought no answer about it.
PAUSE = 60


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
    too. The calls without an answer are asked for again. Until the circuit is closed, later runs
    ask for nothing, unless the reason is money: states cost none.
    """
    now = now or timezone.now()
    refusal = circuit.refusal()
    if refusal is not None and not refusal.is_for_money:
        return 0
    asked, ends = 0, time.monotonic() + RUN_FOR
    while time.monotonic() < ends:
        due = CallRequest.objects.filter(next_poll_at__lte=now).order_by("next_poll_at")
        # The first of a run alone: a refused account is asked one question, not many.
        due = due[: BATCH if asked else 1]
        answered, unanswered = _poll((call for call in due if _claim_poll(call, now)), now)
        asked += answered
        if unanswered:
            # The provider refused one of them.
            return asked + 1
        if not answered:
            break
    return asked


class _NotAskedError(Exception):
    """The account was refused before the call was asked for."""


def _poll(calls: Iterable[CallRequest], now: datetime) -> tuple[int, int]:
    """Ask for calls that are claimed one after the other.

    Return how many had an answer, and how many had none because the account is refused.
    """
    refused = Event()
    answered, unanswered = 0, []
    for call, read_report in _ask(calls, refused):
        try:
            _record_answer(call, read_report, now)
            answered += 1
        except (AccountRefused, _NotAskedError):
            refused.set()
            unanswered.append(call)
    for call in unanswered:
        _unclaim_poll(call, now)
    return answered, len(unanswered)


def _ask(
    calls: Iterable[CallRequest], refused: Event
) -> Iterator[tuple[CallRequest, Callable[[], Report]]]:
    """Ask for the states of calls; of each, yield what returns the report or raises the error.

    Our own client is asked in several threads, which use no database. A client of the project's own
    may not be safe for that.
    """

    def ask(call: CallRequest) -> Report:
        if refused.is_set():
            raise _NotAskedError
        return _ask_one(call)

    if factory.transport() != "http":
        yield from ((call, partial(ask, call)) for call in calls)
        return
    with ThreadPoolExecutor(AT_ONCE, "voicepassword-poll") as threads:
        # The first answers come while the last calls are claimed.
        questions = {threads.submit(ask, call): call for call in calls}
        for question in as_completed(questions):
            yield questions[question], question.result


def _ask_one(call: CallRequest) -> Report:
    """Raises ProviderError; ValueError where the call has no id of the provider."""
    if not call.provider_id:
        raise ValueError(
            "the provider never told an id for this call: only the daily statistics can find it"
        )
    return factory.client().state(call.provider_id)


def refresh(call_id: int) -> CallStatus | None:
    """Ask the provider for the state of one call request and record the answer.

    Raises ProviderError; ValueError where the call has no id of the provider.
    """
    call = CallRequest.objects.get(pk=call_id)
    return _record(call, partial(_ask_one, call))


def _record(call: CallRequest, read_report: Callable[[], Report]) -> CallStatus | None:
    with circuit.opens():
        report = read_report()
    return recording.record(call.pk, report, CallStatus.Source.POLL)


def _record_answer(call: CallRequest, read_report: Callable[[], Report], now: datetime) -> None:
    """Record the answer about one call that was claimed. Raises AccountRefused."""
    error_code = NO_FINAL_STATE
    is_last = call.polls + 1 >= len(settings.POLL_DELAYS)
    try:
        _record(call, read_report)
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
    elif call.next_poll_at is not None:
        rows = CallRequest.objects.filter(pk=call_id)
        writing.in_statement(partial(rows.update, next_poll_at=None))


def _claim_poll(call: CallRequest, now: datetime) -> bool:
    """Move ``next_poll_at`` to the next of POLL_DELAYS; False where another worker did so first.

    After the last of them it is moved by a minute: ``_give_up`` ends the polling. A call whose poll
    was killed is then asked for again.
    """
    delays = settings.POLL_DELAYS
    polls = call.polls + 1
    since = call.placed_at or call.created_at
    next_poll_at = after(since, delays[polls]) if polls < len(delays) else after(now, PAUSE)
    if next_poll_at <= now:
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
    later = after(now, PAUSE)
    rows = CallRequest.objects.filter(pk=call.pk).exclude(state__in=CallRequest.FINAL_STATES)
    writing.in_statement(partial(rows.update, next_poll_at=later, polls=F("polls") - 1))
