"""From a QUEUED row to whoever places it: a worker, or this very request."""

from __future__ import annotations

import time
from functools import partial

from django.db import router, transaction

from django_voicepassword import tasks
from django_voicepassword.calls import broker, errors, placing
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import CallRequest
from django_voicepassword.provider import factory

#: Pauses before the second and the third try of a refused connection when the request itself waits
#: (DISPATCH inline).
INLINE_PAUSES = (0.3, 1.0)


def dispatch(call: CallRequest) -> None:
    """Have a QUEUED call placed: once the rows are committed, so that nothing is paid that a
    rollback would forget.

    Raises Unavailable where the broker does not take it, or (inline) the provider cannot be
    reached.
    """
    database = router.db_for_write(CallRequest)
    if settings.dispatch == "celery":
        transaction.on_commit(partial(tasks.enqueue, call.pk), using=database)
    elif factory.is_pretended():
        # Nothing rings: it need not wait, and the test of a host project, which never commits, sees
        # its call.
        _place_inline(call.pk)
    else:
        transaction.on_commit(partial(_place_inline, call.pk), using=database)


def leaves_to_workers() -> bool:
    """Is a call placed by another process? With Celery's ``task_always_eager`` it is this one."""
    return settings.dispatch == "celery" and not tasks.place_call.app.conf.task_always_eager


def hand_in_again(call_id: int) -> None:
    """A call that nobody took: its task was lost, or the request that was to place it. Raises
    Unavailable.
    """
    if settings.dispatch == "celery":
        # Not ``enqueue``: a broker that is down turns nothing down that it may hold already.
        try:
            broker.publish(tasks.place_call, call_id)
        except Exception as error:
            raise Unavailable("the broker does not take the call") from error
    else:
        placing.place(call_id, last_try=True)


def _place_inline(call_id: int) -> None:
    """Place a call while the request waits."""
    for pause in INLINE_PAUSES:
        if placing.place(call_id) is None:
            break
        time.sleep(pause)
    else:
        placing.place(call_id, last_try=True)
    placed = CallRequest.objects.get(pk=call_id)
    if placed.state == CallRequest.State.REFUSED and placed.error_code == errors.UNREACHABLE:
        raise Unavailable("the provider cannot be reached")
