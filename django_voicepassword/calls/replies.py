"""Write what the provider replied to a request: the row, its history and its budgets.

Each result is written again if the database goes away for a moment: what the provider did must not
be lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from django.db import router, transaction
from django.utils import timezone

from django_voicepassword import signals, transactions
from django_voicepassword.calls import spending, writing
from django_voicepassword.calls.errors import NO_CODE
from django_voicepassword.calls.recording import announce_move
from django_voicepassword.conf import settings
from django_voicepassword.limits import long_codes
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.models.moments import after
from django_voicepassword.provider.protocol import SendReply
from django_voicepassword.security import codes

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def keep_reply(call: CallRequest, reply: SendReply) -> None:
    """PLACING -> PLACED, unless a callback has already reported more."""
    now = timezone.now()
    digest, error_code = call.code_digest, ""
    new_length = 0
    if call.verification is not None and not digest:
        if reply.code:
            digest = codes.digest(call.verification.id, call.phone, reply.code)
            if len(reply.code) != call.verification.code_length:
                new_length = len(reply.code)
        else:
            error_code = NO_CODE
            logger.error("call %s: the reply has no code, so none can be checked", call.pk)
    delays = settings.POLL_DELAYS
    next_poll_at = after(now, delays[0]) if delays else None

    def write() -> bool:
        with transaction.atomic(using=router.db_for_write(CallRequest)):
            if new_length and call.verification is not None:
                # Not where a resend has made the code of the verification long meanwhile.
                Verification.objects.filter(
                    id=call.verification.id, is_long=call.capacity is not None
                ).update(code_length=new_length)
            is_moved = call.mark_placed(
                reply.id, reply.price, digest, now, next_poll_at, error_code
            )
            status = CallStatus(
                call=call,
                state=CallRequest.State.PLACED,
                raw_state="ok",
                source=CallStatus.Source.SEND,
                received_at=now,
                price=reply.price,
                payload={
                    "result": "ok",
                    "id": reply.id,
                    "price": None if reply.price is None else str(reply.price),
                },
            )
            status.insert()
        return is_moved

    is_moved = retry_write(write)
    # A transaction of its own: each write is repeated as a whole.
    retry_write(lambda: spending.correct(call, reply.price, call.reserved_price))
    if call.capacity is not None and reply.code:
        long_codes.note_reply(call.capacity, len(reply.code))
    signals.announce(signals.call_placed, CallRequest, router.db_for_write(CallRequest), call=call)
    if is_moved:
        announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)


def refuse_unsent(call: CallRequest, error_code: str) -> bool:
    """QUEUED -> REFUSED without asking the provider.

    The call is claimed first. False: another worker claimed it before, and may be asking.
    """
    is_ours = writing.in_statement(lambda: call.claim("", timezone.now()))
    if is_ours:
        refuse(call, error_code, give_back=True)
    return is_ours


def refuse(call: CallRequest, error_code: str, give_back: bool) -> None:
    """PLACING -> REFUSED: the phone did not ring.

    ``give_back``: take the send off all limits too. For requests that were not sent, or that the
    provider refused because of the account.
    """
    old_state = call.state
    now = timezone.now()

    def write() -> bool:
        with transaction.atomic(using=router.db_for_write(CallRequest)):
            spending.lock_verification(call)
            if not call.mark_refused(error_code[:200], now):
                return False
            CallStatus.objects.create(
                call=call,
                state=CallRequest.State.REFUSED,
                raw_state=error_code[:64],
                source=CallStatus.Source.SEND,
                received_at=now,
                payload={"result": "error", "error_code": error_code[:200]},
            )
            spending.give_back(call, give_back)
        return True

    if retry_write(write):
        announce_move(call, old_state, CallStatus.Source.SEND)


def mark_unknown(call: CallRequest, error_code: str) -> None:
    """PLACING -> UNKNOWN: the phone may have rung, so the code still counts."""
    if retry_write(lambda: call.mark_unknown(timezone.now(), error_code)):
        announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)


def retry_write(write: Callable[[], Result]) -> Result:
    """Write to the database of the calls, and again where it went away for a moment."""
    return transactions.retry_write(write, router.db_for_write(CallRequest))
