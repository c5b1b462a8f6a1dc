"""``resend``: the next send of a verification. How long to wait is ``Verification.resend_at``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import phones
from django_voicepassword.exceptions import (
    RateLimited,
)
from django_voicepassword.limits import client_ip, reservations
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import channels, dispatch, idempotency
from django_voicepassword.verifications.checking import (
    calls_of,
    check_open,
    get,
    in_transaction,
    translate_database_errors,
)
from django_voicepassword.verifications.fixed_codes import create_test_call
from django_voicepassword.verifications.sending import (
    ask_host,
    check_account,
    insert_call,
    terms_of,
)


@sensitive
@translate_database_errors
def resend(
    verification_id: UUID | str,
    channel: str | None = None,
    request: HttpRequest | None = None,
    idempotency_key: str | None = None,
) -> Verification:
    """Send the code once more, by ``channel`` or by the next one of CHANNELS.

    A resend that is repeated with the same ``idempotency_key`` returns the verification, and
    nothing rings again.

    Raises Verification.DoesNotExist, VerificationExpired, VerificationClosed, TooManyAttempts,
    PrefixNotAllowed, ChannelUnavailable, Refused, RateLimited (limits ``resend_after`` and
    ``sends`` beside those of LIMITS), BudgetExhausted and Unavailable; with a key
    IdempotencyConflict and InvalidIdempotencyKey.
    """
    verification = get(verification_id)
    key = idempotency.read_key(idempotency_key, channel, verification=verification.id)

    def send() -> Verification:
        return _resend(verification, channel, request, key)

    return idempotency.send_once(key, send, dispatch.resume)


def _resend(
    verification: Verification,
    channel: str | None,
    request: HttpRequest | None,
    key: idempotency.Key | None,
) -> Verification:
    check_open(verification)
    channel = channels.choose(channel, calls_of(verification))
    client_ip.warn_of_missing_proxies(request)
    fixed_code = phones.fixed_code(verification.phone)
    if fixed_code is None:
        phones.check_allowed(verification.phone)
        check_account()
        ask_host(verification, channel, request)
    now = timezone.now()
    terms = terms_of(verification, channel, now, request)

    def count_and_insert() -> CallRequest | None:
        if not Verification.count_send(verification.id, now):
            return None
        answer = _first_answer(key, verification, channel)
        if fixed_code is not None:
            return create_test_call(
                verification, channel, fixed_code, terms, insert=False, idempotency=answer
            )
        counted = reservations.reserve_send(verification, terms, now)
        return insert_call(verification, channel, now, terms, counted, answer)

    call = in_transaction(count_and_insert)
    if call is not None and fixed_code is None:
        dispatch.dispatch(call)
    verification.refresh_from_db()
    if call is None:
        raise _why_not_sent(verification)
    return verification


def _first_answer(
    key: idempotency.Key | None, verification: Verification, channel: str
) -> dict[str, Any] | None:
    """Return what the call keeps of ``key``, under the lock of the verification. Raises KeyUsed."""
    if key is None:
        return None
    if key.is_used():
        raise idempotency.KeyUsed
    verification.refresh_from_db()
    return key.answer(verification, channel)


def _why_not_sent(verification: Verification) -> RateLimited:
    """The limit that refused a resend. Raises where the verification cannot go on at all."""
    check_open(verification)
    resend_at = verification.resend_at
    if resend_at is None:
        return RateLimited("sends", seconds_until(verification.expires_at, least=1))
    return RateLimited("resend_after", seconds_until(resend_at, least=1))
