"""From a QUEUED row to whoever places it: a worker, or this very request."""

from __future__ import annotations

import logging
import time
from functools import partial

from celery import Task, current_app
from django.db import router, transaction
from django.utils import timezone

from django_voicepassword import limits, statistics
from django_voicepassword.calls import broker, errors, placing, polling
from django_voicepassword.calls.polling import Polled
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import BudgetExhausted, Unavailable, VerificationError
from django_voicepassword.limits import alarms, guard
from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import before
from django_voicepassword.provider import factory
from django_voicepassword.provider.protocol.vocabulary import is_of_account
from django_voicepassword.verifications import idempotency

logger = logging.getLogger(__name__)

#: The task that places a call. ``tasks`` imports this module, so the task is looked up by name.
PLACE_CALL = "django_voicepassword.tasks.place_call"
#: Pauses in seconds before the second and the third try of a refused connection when the request
#: itself waits (DISPATCH inline).
INLINE_PAUSES = (0.3, 1.0)
#: Seconds, beyond those of its tries, after which such a request must have died.
INLINE_MARGIN = 5.0
#: Seconds between two looks of a repeated request at the call of the first one.
INLINE_POLL = 0.2
#: Seconds between two tasks that repeated requests publish for one QUEUED call: a client may repeat
#: its request a thousand times.
HAND_IN_EVERY = 15.0


def dispatch(call: CallRequest) -> None:
    """Have a QUEUED call placed, once its rows are committed: a paid call must not be rolled back.

    Raises Unavailable where the broker does not take it, or (inline) where the provider cannot be
    reached; BudgetExhausted (inline) where the price rose and DAILY_BUDGET has too little for it.
    """
    database = router.db_for_write(CallRequest)
    if settings.dispatch == "celery":
        transaction.on_commit(partial(enqueue, call.pk), using=database)
    elif factory.is_pretended():
        # Nobody is called, so there is no need to wait for a commit: tests of a host project often
        # run in a transaction that is never committed, and still see their call.
        _place_inline(call.pk)
    else:
        transaction.on_commit(partial(_place_inline, call.pk), using=database)


def enqueue(call_id: int) -> None:
    """Hand a call to a worker, or raise Unavailable within seconds; the row then says why."""
    try:
        broker.publish(_place_call_task(), call_id)
    except Exception as error:
        # Each broker has errors of its own, and none of them is worth a longer wait.
        logger.exception("call %s: the broker does not take the task", call_id)
        if placing.give_up(call_id, errors.NOT_QUEUED):
            idempotency.free_key(call_id)
            raise Unavailable("the broker does not take the call") from error
        # Only the broker's answer was lost: a worker has the call, and it rings.


def resume(call: CallRequest) -> None:
    """Make sure that the call of a repeated request is placed, or raise why it is not.

    The first request may still be handing the call over, may be about to fail, or may have been
    killed. A call that is handed in twice is placed once; it is handed in at most every
    HAND_IN_EVERY. Raises Unavailable and BudgetExhausted.
    """
    database = router.db_for_write(CallRequest)
    if settings.dispatch != "celery":
        transaction.on_commit(partial(_join_inline, call.pk), using=database)
    elif call.state == CallRequest.State.QUEUED:
        transaction.on_commit(partial(_hand_in, call.pk), using=database)
    elif call.error_code == errors.NOT_QUEUED:
        # The first request was killed before it could free its key.
        _raise_if_unsent(call)


def _hand_in(call_id: int) -> None:
    name = f"hand_in:{call_id}"
    if not alarms.is_first_in(name, HAND_IN_EVERY):
        return
    try:
        requeue(call_id)
    except Unavailable:
        # The next repeat may try it at once: no task was published.
        alarms.forget_first(name)
        raise


def _join_inline(call_id: int) -> None:
    """Wait with the first request until its call is placed; place it where that request died."""
    tries_for = len(INLINE_PAUSES) * settings.TIMEOUT[0] + sum(INLINE_PAUSES) + INLINE_MARGIN
    call = CallRequest.objects.get(pk=call_id)
    waiting = (CallRequest.State.QUEUED, CallRequest.State.PLACING)
    while call.state in waiting and call.created_at > before(timezone.now(), tries_for):
        time.sleep(INLINE_POLL)
        call = CallRequest.objects.get(pk=call_id)
    if call.state == CallRequest.State.QUEUED:
        _place_inline(call_id)
    else:
        _raise_if_unsent(call)


def poll_and_requeue() -> Polled:
    """One run of what is due every few seconds; calls that no worker took are handed in again.

    The guard watches first: what follows may wait for the provider. While the provider refuses the
    account, the balance is read each minute. Raises Unavailable where the broker does not take one.
    """
    guard.watch(timezone.now())
    statistics.account_is_refused()
    polled = polling.poll()
    for call_id in polled.stuck:
        requeue(call_id)
    return polled


def requeue(call_id: int) -> None:
    """Hand in a call again whose task, or whose request, was lost. Raises Unavailable.

    A second task for one call is harmless: whoever claims the row first places the call.
    """
    if settings.dispatch == "celery":
        # Not ``enqueue``: a broker that is down must not refuse a call that it may hold already.
        try:
            broker.publish(_place_call_task(), call_id)
        except Exception as error:
            raise Unavailable("the broker does not take the call") from error
    else:
        placing.place(call_id, last_try=True)


def leaves_to_workers() -> bool:
    """Is a call placed by another process? With Celery's ``task_always_eager`` it is this one."""
    return settings.dispatch == "celery" and not current_app.conf.task_always_eager


def _place_call_task() -> Task:
    return current_app.tasks[PLACE_CALL]


def _place_inline(call_id: int) -> None:
    """Place a call while the request waits."""
    for pause in INLINE_PAUSES:
        if placing.place(call_id) is None:
            break
        time.sleep(pause)
    else:
        placing.place(call_id, last_try=True)
    _raise_if_unsent(CallRequest.objects.get(pk=call_id))


def _raise_if_unsent(call: CallRequest) -> None:
    """Raise the error for the person where a call was refused for a reason of the site."""
    error = _why_unsent(call)
    if error is not None:
        idempotency.free_key(call.pk)
        raise error


def _why_unsent(call: CallRequest) -> VerificationError | None:
    if call.state != CallRequest.State.REFUSED:
        return None
    if call.error_code == errors.ACCOUNT_REFUSED or is_of_account(call.error_code):
        return Unavailable("the provider refuses the account", is_lasting=True)
    if call.error_code == errors.NOT_QUEUED:
        return Unavailable("the broker does not take the call")
    if call.error_code == errors.UNREACHABLE:
        return Unavailable("the provider cannot be reached")
    if call.error_code == errors.NO_BUDGET:
        return BudgetExhausted(limits.seconds_to_next_day(timezone.now()))
    return None
