"""``start`` and ``resend``: everything that rings somebody is counted before it is tried."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from django_voicepassword import limits, phones, transactions
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    RateLimited,
)
from django_voicepassword.limits import client_ip, subjects
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import channels, dispatch
from django_voicepassword.verifications.checking import (
    calls_of,
    check_open,
    database,
    get,
    translate_database_errors,
)
from django_voicepassword.verifications.fixed_codes import create_test_call

Result = TypeVar("Result")


@sensitive
@translate_database_errors
def start(
    phone: str,
    purpose: str = "login",
    channel: str | None = None,
    request: HttpRequest | None = None,
    user: Any = None,
) -> Verification:
    """Open a verification of ``phone``; its first call is placed once the transaction is committed.

    ``channel`` defaults to the first of CHANNELS. ``user`` is the user whose number is to be
    verified, where that is known beforehand.

    Raises InvalidPhone, PrefixNotAllowed, ChannelUnavailable, Refused, RateLimited,
    BudgetExhausted, and Unavailable where nobody took the call.
    """
    number = phones.normalize(phone)
    fixed_code = phones.fixed_code(number)
    if fixed_code is None:
        phones.check_allowed(number)
    channel = channels.choose(channel or None)
    now = timezone.now()
    verification = Verification(
        phone=number,
        purpose=purpose,
        sends=1,
        created_at=now,
        last_sent_at=now,
        expires_at=now + timedelta(seconds=settings.CODE_TTL),
        user=user if user is not None and user.is_authenticated else None,
        ip=client_ip.client_address(request),
    )
    if fixed_code is not None:
        create_test_call(verification, channel, fixed_code, insert=True)
        return verification
    _ask_host(verification, channel, request)
    price = subjects.price_of_send(channel)

    def reserve_and_insert() -> CallRequest:
        reserved = subjects.reserve_send(verification, price, now, request)
        verification.save(force_insert=True)
        return _insert_call(verification, channel, now, reserved)

    call = _in_transaction(reserve_and_insert)
    dispatch.dispatch(call)
    if dispatch.leaves_to_workers():
        # A call that was placed inline has changed in the database since it was inserted.
        verification.known_calls = [call]
    return verification


@sensitive
@translate_database_errors
def resend(
    verification_id: UUID | str, channel: str | None = None, request: HttpRequest | None = None
) -> Verification:
    """Send the code once more, by ``channel`` or by the next one of CHANNELS.

    Raises Verification.DoesNotExist, VerificationExpired, VerificationClosed, TooManyAttempts,
    ChannelUnavailable, Refused, RateLimited (limits ``resend_after`` and ``sends`` beside those of
    LIMITS), BudgetExhausted and Unavailable.
    """
    verification = get(verification_id)
    check_open(verification)
    channel = channels.choose(channel, calls_of(verification))
    fixed_code = phones.fixed_code(verification.phone)
    if fixed_code is None:
        _ask_host(verification, channel, request)
    price = subjects.price_of_send(channel)
    now = timezone.now()

    def count_and_insert() -> CallRequest | None:
        if not Verification.count_send(verification.id, now):
            return None
        if fixed_code is not None:
            return create_test_call(verification, channel, fixed_code, insert=False)
        reserved = subjects.reserve_send(verification, price, now, request)
        return _insert_call(verification, channel, now, reserved)

    call = _in_transaction(count_and_insert)
    if call is not None and fixed_code is None:
        dispatch.dispatch(call)
    verification.refresh_from_db()
    if call is None:
        raise _why_not_sent(verification)
    return verification


def _why_not_sent(verification: Verification) -> RateLimited:
    """The limit that refused a resend. Raises where the verification cannot go on at all."""
    check_open(verification)
    resend_at = verification.resend_at
    if resend_at is None:
        return RateLimited("sends", seconds_until(verification.expires_at, least=1))
    return RateLimited("resend_after", seconds_until(resend_at, least=1))


def _ask_host(verification: Verification, channel: str, request: HttpRequest | None) -> None:
    """Call BEFORE_SEND, which may raise Refused. No lock is held yet: it may be slow."""
    path = settings.BEFORE_SEND
    if path is None:
        return
    try:
        before_send = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["BEFORE_SEND"] cannot be imported: {error}'
        ) from error
    before_send(verification, channel, request)


def _insert_call(
    verification: Verification, channel: str, now: datetime, reserved: subjects.Reserved
) -> CallRequest:
    return CallRequest.objects.create(
        verification=verification,
        phone=verification.phone,
        channel=channel,
        created_at=now,
        reserved_price=reserved.price,
        device=reserved.device,
    )


def _in_transaction(work: Callable[[], Result]) -> Result:
    try:
        return transactions.atomic_with_retry(work, database())
    except limits.ClockSkewRateLimited as error:
        # The transaction was rolled back, so the correction needs one of its own.
        limits.count_from_now(error.keys, timezone.now())
        raise
