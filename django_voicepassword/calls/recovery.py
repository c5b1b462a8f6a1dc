"""Recover from a worker that died, a task that was lost, or a clock that stepped back."""

from __future__ import annotations

import logging
from datetime import datetime
from functools import partial

from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.calls import recording, retries, writing
from django_voicepassword.calls.errors import WORKER_LOST
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.models.moments import after, before

logger = logging.getLogger(__name__)

#: Seconds beyond the read timeout after which the worker of a PLACING call must have died.
ABANDONED_MARGIN = 30
#: Stuck calls that one run hands in again; the next run takes the rest.
MOST_STUCK = 1000


def restamp(now: datetime | None = None) -> None:
    """Move rows that lie in the future to ``now``: they were written before a clock stepped back.

    Without this, everything would wait until the clock has caught up. A verification gets a full
    lifetime from now, a placed call is polled from now, and a worker that died or a task that was
    lost is noticed as soon as ever.
    """
    now = now or timezone.now()
    future = after(now, limits.CLOCK_SKEW)
    pending = Verification.objects.filter(status=Verification.Status.PENDING)
    new = pending.filter(created_at__gt=future)
    writing.in_statement(
        partial(new.update, created_at=now, expires_at=after(now, settings.CODE_TTL))
    )
    writing.in_statement(partial(pending.filter(last_sent_at__gt=future).update, last_sent_at=now))
    unsent = CallRequest.objects.filter(
        state__in=[CallRequest.State.QUEUED, CallRequest.State.PLACING]
    )
    writing.in_statement(partial(unsent.filter(created_at__gt=future).update, created_at=now))
    writing.in_statement(partial(unsent.filter(claimed_at__gt=future).update, claimed_at=now))
    if settings.POLL_DELAYS:
        first = after(now, settings.POLL_DELAYS[0])
        placed = CallRequest.objects.filter(next_poll_at__gt=future, placed_at__gt=future)
        writing.in_statement(partial(placed.update, placed_at=now, next_poll_at=first))


def lose_abandoned(now: datetime | None = None) -> list[int]:
    """PLACING -> UNKNOWN for each call whose worker must have died; their primary keys.

    A worker counts as dead when it claimed its call longer ago than the longest answer and a
    margin. The call may have rung, so it is never placed again.
    """
    now = now or timezone.now()
    connect, read = settings.TIMEOUT
    # The client reads an answer that arrives byte by byte for up to twice the read timeout.
    patience = connect + 2 * read + ABANDONED_MARGIN
    lost = []
    for pk in CallRequest.abandoned(before(now, patience)):
        call = CallRequest.objects.get(pk=pk)
        if not writing.in_statement(partial(call.mark_unknown, now, WORKER_LOST)):
            continue
        lost.append(pk)
        logger.error("call %s lost its worker: it may have rung, and is not placed again", pk)
        recording.announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)
    return lost


def stuck_in_queue(now: datetime | None = None) -> list[int]:
    """Primary keys of calls that are QUEUED for longer than any retry waits: their task was lost.

    They can be handed in again safely: whoever claims the row first places the call.
    """
    now = now or timezone.now()
    earliest = before(now, 2 * retries.LONGEST_RETRY)
    waiting = CallRequest.objects.filter(state=CallRequest.State.QUEUED, created_at__lt=earliest)
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:MOST_STUCK])
