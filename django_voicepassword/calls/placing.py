"""A row talks to the provider: ``place`` sends it, ``record`` keeps what is reported.

A request that may have left is never sent again: ``place`` claims its row first (QUEUED -> PLACING,
for one worker), and whatever happens after that ends in PLACED, REFUSED or UNKNOWN, or back in
QUEUED when the connection was refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from django_voicepassword import limits, signals, transactions
from django_voicepassword.calls.errors import (
    INTERRUPTED,
    MISCONFIGURED,
    NO_CODE,
    NO_EARLIER_CALL,
    NO_REPLY,
    TOO_LATE,
    UNREACHABLE,
)
from django_voicepassword.calls.recording import _find, announce_move
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    AccountRefused,
    ProviderError,
    ProviderRefused,
    Unreachable,
)
from django_voicepassword.limits import alarms
from django_voicepassword.models import CallRequest, CallStatus, LimitCounter, Verification
from django_voicepassword.provider import factory
from django_voicepassword.provider.client import Client
from django_voicepassword.provider.protocol import SendReply
from django_voicepassword.security import callback_tokens, codes
from django_voicepassword.security.sensitive import sensitive

logger = logging.getLogger(__name__)
Written = TypeVar("Written")
#: Seconds to wait before the first new try of a refused connection, and at most.
FIRST_RETRY, LONGEST_RETRY = 2.0, 60.0


@sensitive
def place(call_id: int, last_try: bool = False) -> float | None:
    """Send one queued call request, at most once.

    Returns the seconds after which to try again where the connection was refused, else None: done,
    one way or the other, or somebody else's. ``last_try``: do not ask for another try, end as
    REFUSED ``unreachable``.
    """
    call = _find(CallRequest.objects.select_related("verification"), call_id)
    if call is None or call.state != CallRequest.State.QUEUED:
        logger.info("call %s is not queued: left alone", call_id)
        return None
    verification = call.verification
    if verification is not None and not verification.is_open:
        refuse_unsent(call, TOO_LATE)
        return None
    earlier = _earlier_call(call) if call.channel == CallRequest.Channel.SMS else None
    if call.channel == CallRequest.Channel.SMS and earlier is None:
        refuse_unsent(call, NO_EARLIER_CALL)
        return None
    try:
        client = factory.client(call.verification_id)
    except ImproperlyConfigured:
        refuse_unsent(call, MISCONFIGURED)
        raise
    code = _our_code(call)
    if earlier is not None:
        carried = earlier.code_digest
    elif code is not None and verification is not None:
        carried = codes.digest(verification.id, call.phone, code)
    else:
        carried = ""
    if not call.claim(carried, timezone.now()):
        logger.info("call %s is claimed by another worker: left alone", call_id)
        return None
    return _send_claimed(client, call, code, earlier, last_try)


def _send_claimed(
    client: Client, call: CallRequest, code: str | None, earlier: CallRequest | None, last_try: bool
) -> float | None:
    try:
        reply = _ask(client, call, code, earlier)
    except ProviderRefused as error:
        logger.error("call %s: the provider refused: %s", call.pk, error.error_code)
        _refuse(call, error.error_code, give_back=isinstance(error, AccountRefused))
        if error.error_code.strip().casefold() == "not_enough_money":
            alarms.raise_balance_alarm()
    except ProviderError as error:
        if not error.may_have_rung:
            return _try_later(call, last_try)
        logger.error("call %s: no readable answer, it may have rung: %s", call.pk, error)
        reason = NO_REPLY if isinstance(error, Unreachable) else error.code
        _retry_write(lambda: mark_unknown(call, reason))
    except ValueError as error:
        # Refused by the protocol before anything was sent.
        logger.error("call %s: not sent: %s", call.pk, error)
        _refuse(call, MISCONFIGURED, give_back=True)
    except BaseException:
        # A worker told to stop, or a fault of ours: nobody knows whether it rang.
        _retry_write(lambda: mark_unknown(call, INTERRUPTED))
        raise
    else:
        _keep_reply(call, reply)
    return None


def give_up(call_id: int, error_code: str) -> bool:
    """QUEUED -> REFUSED for a call that never reached a worker; what was reserved for it is given
    back.

    False: a worker has it after all, and nothing was changed.
    """
    call = CallRequest.objects.select_related("verification").get(pk=call_id)
    return refuse_unsent(call, error_code)


def callback_url(call: CallRequest) -> str | None:
    """The address that the provider is to report this call to; None without CALLBACK_BASE_URL."""
    base = settings.CALLBACK_BASE_URL
    if not base:
        return None
    try:
        path = reverse(
            "voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)]
        )
    except NoReverseMatch:
        logger.error(
            "CALLBACK_BASE_URL is set, but django_voicepassword.urls is not included: no callback is asked for"
        )
        return None
    return f"{base.rstrip('/')}{path}"


def _our_code(call: CallRequest) -> str | None:
    if (
        call.verification_id is None
        or settings.CODE_SOURCE != "client"
        or call.channel == CallRequest.Channel.SMS
    ):
        return None
    return codes.make(call.verification_id)


def _earlier_call(call: CallRequest) -> CallRequest | None:
    """The call whose code an SMS repeats: the newest of the verification that the provider took."""
    if call.verification_id is None:
        return None
    return (
        CallRequest.objects.filter(verification_id=call.verification_id)
        .exclude(channel=CallRequest.Channel.SMS)
        .exclude(provider_id="")
        .order_by("-id")
        .first()
    )


def _ask(
    client: Client, call: CallRequest, code: str | None, earlier: CallRequest | None
) -> SendReply:
    if earlier is not None:
        return client.sms(earlier.provider_id)
    address = callback_url(call)
    if call.channel == CallRequest.Channel.VOICE:
        return client.voice_call(
            call.phone,
            code=code,
            repeat=settings.VOICE_REPEAT,
            ani=settings.ANI,
            callback_url=address,
        )
    if code is not None:
        return client.flash_call(call.phone, code=code, callback_url=address)
    return client.flash_call(call.phone, capacity=settings.CODE_LENGTH, callback_url=address)


def _keep_reply(call: CallRequest, reply: SendReply) -> None:
    now = timezone.now()
    carried = call.code_digest
    problem = ""
    if call.verification is not None and not carried:
        if reply.code:
            carried = codes.digest(call.verification.id, call.phone, reply.code)
        else:
            problem = NO_CODE
            logger.error("call %s: the reply has no code, so none can be checked", call.pk)

    def write() -> bool:
        with transaction.atomic(using=router.db_for_write(CallRequest)):
            moved = call.mark_placed(reply.id, reply.price, carried, now, _first_poll(now), problem)
            CallStatus.objects.create(
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
        return moved

    moved = _retry_write(write)
    # Apart from the rows: what is written again must be written as a whole.
    _retry_write(lambda: _settle(call, reply.price, now))
    signals.announce(signals.call_placed, CallRequest, router.db_for_write(CallRequest), call=call)
    if moved:
        announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)


def _first_poll(now: datetime) -> datetime | None:
    delays = settings.POLL_DELAYS
    return now + timedelta(seconds=delays[0]) if delays else None


def _settle(call: CallRequest, price: Decimal | None, now: datetime) -> None:
    """The price is known: correct what DAILY_BUDGET had reserved for it."""
    if price is None or call.reserved_price is None or price == call.reserved_price:
        return
    with transaction.atomic(using=router.db_for_write(LimitCounter)):
        limits.adjust_budget(call.created_at, price - call.reserved_price)
        limits.note_price(call.channel, price, now)


def refuse_unsent(call: CallRequest, error_code: str) -> bool:
    """REFUSED without asking. It is claimed for that: whoever claimed it before us may be asking
    already (False).
    """
    is_ours = call.claim("", timezone.now())
    if is_ours:
        _refuse(call, error_code, give_back=True)
    return is_ours


def _refuse(call: CallRequest, error_code: str, give_back: bool) -> None:
    """PLACING -> REFUSED: nothing rang. ``give_back``: nothing was sent either, so nothing stays
    counted.
    """
    old_state = call.state
    now = timezone.now()

    def write() -> bool:
        with transaction.atomic(using=router.db_for_write(CallRequest)):
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
            _return_budgets(call, give_back)
        return True

    if _retry_write(write):
        announce_move(call, old_state, CallStatus.Source.SEND)


def _return_budgets(call: CallRequest, give_back: bool) -> None:
    verification = call.verification
    if give_back and verification is not None:
        Verification.return_send(verification.id)
        subjects = limits.send_subjects(call.phone, verification.ip, call.device)
        limits.release(subjects, at=call.created_at, price=call.reserved_price)
        return
    if verification is not None:
        Verification.allow_next_send(verification.id)
    if call.reserved_price is not None:
        limits.adjust_budget(call.created_at, -call.reserved_price)


def mark_unknown(call: CallRequest, error_code: str) -> None:
    """PLACING -> UNKNOWN."""
    if call.mark_unknown(timezone.now(), error_code):
        announce_move(call, CallRequest.State.PLACING, CallStatus.Source.SEND)


def _try_later(call: CallRequest, last_try: bool) -> float | None:
    """The connection was refused: PLACING -> QUEUED and the wait, or REFUSED when the time is over.

    The wait doubles without a counter: it is as long as the call has waited already.
    """
    now = timezone.now()
    waited = (now - call.created_at).total_seconds()
    delay = min(max(FIRST_RETRY, waited), LONGEST_RETRY)
    ends = (
        call.verification.expires_at
        if call.verification
        else call.created_at + timedelta(seconds=settings.CODE_TTL)
    )
    if last_try or now + timedelta(seconds=delay) >= ends:
        logger.error("call %s: the provider cannot be reached, given up", call.pk)
        _refuse(call, UNREACHABLE, give_back=True)
        return None
    logger.warning("call %s: the provider cannot be reached, next try in %.0f s", call.pk, delay)
    _retry_write(call.unclaim)
    return delay


def _retry_write(write: Callable[[], Written]) -> Written:
    return transactions.retry_write(write, router.db_for_write(CallRequest))
