"""What a call costs DAILY_BUDGET: asked again before it is placed, corrected once it is known."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import router, transaction
from django.db.models import F
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.calls import writing
from django_voicepassword.calls.errors import REPLACED
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, LimitCounter, Verification


def is_limited() -> bool:
    """Return whether there is a DAILY_BUDGET."""
    return settings.DAILY_BUDGET is not None


def claim(call: CallRequest, code_digest: str) -> bool | None:
    """QUEUED -> PLACING, and ask DAILY_BUDGET again for what the call costs by now.

    Its price may have risen since it was queued, and so may the prices of the calls before it.
    Return True for the one worker that may send the request, False where there is no money: then
    the caller has claimed the call, and must refuse it. None: another worker has claimed it.
    """
    now = timezone.now()
    reserved = call.reserved_price
    if not is_limited() or reserved is None:
        return writing.in_statement(partial(call.claim, code_digest, now)) or None
    # Before the transaction: on SQLite one that begins with a read cannot wait for a writer.
    price = max(reserved, limits.expected_price(call.channel, call.phone, now))

    def claim_with_money() -> bool | None:
        if not call.claim(code_digest, now):
            return None
        return _raise_price(call, reserved, price, now)

    return writing.in_transaction(claim_with_money)


def _raise_price(call: CallRequest, reserved: Decimal, price: Decimal, now: datetime) -> bool:
    money = limits.Money(price, _is_proven(call))
    if not limits.raise_reservation(call.created_at, reserved, money, now):
        return False
    if price != reserved:
        call.reserve(price)
    return True


def correct(call: CallRequest, price: Decimal | None, counted: Decimal | None) -> None:
    """Replace the price that is ``counted`` in DAILY_BUDGET by the real one, and remember that one.

    Without a real price the call costs what was reserved.
    """
    if price is None or counted is None or call.reserved_price is None:
        return
    with transaction.atomic(using=router.db_for_write(LimitCounter)):
        limits.adjust_budget(call.created_at, price - counted, _is_proven(call))
        limits.note_price(call.channel, call.phone, price, timezone.now())


def lock_verification(call: CallRequest) -> None:
    """Lock the verification before its call, as an approval does, so that neither deadlocks."""
    if call.verification_id is not None:
        Verification.objects.filter(id=call.verification_id).update(sends=F("sends"))


def give_back(call: CallRequest, is_send_returned: bool) -> None:
    """Give back the money of a call that did not ring, and the counted send as well if asked.

    The verification of a call that a newer one has replaced keeps its sends. Whoever has asked for
    a newer call meanwhile waits for the next one as after any send.
    """
    verification = None if call.error_code == REPLACED else call.verification
    if is_send_returned:
        limits.give_back(call)
    if verification is not None and is_send_returned:
        Verification.return_send(verification.id, call.created_at)
    elif verification is not None:
        Verification.allow_next_send(verification.id, call.created_at)
    if call.reserved_price is not None:
        limits.adjust_budget(call.created_at, -call.reserved_price, _is_proven(call))


def _is_proven(call: CallRequest) -> bool:
    return call.lane == CallRequest.Lane.PROVEN
