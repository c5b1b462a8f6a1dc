"""``resend``: the next send of a verification. How long to wait is ``Verification.resend_at``."""

from __future__ import annotations

from functools import partial
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
from django_voicepassword.verifications import channels, dispatch, idempotency, step_up
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
    noted_refusals,
    test_terms,
)
from django_voicepassword.verifications.step_up import Plan


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

    Where the person must not guess a short code now, the code becomes a long one, the short one
    counts no more, and nobody has to wait for RESEND_AFTER.

    Raises Verification.DoesNotExist, VerificationExpired, VerificationClosed, TooManyAttempts,
    PrefixNotAllowed, ChannelUnavailable, Refused, RateLimited (limits ``resend_after`` and
    ``sends`` beside those of LIMITS), ChallengeRequired, BudgetExhausted and Unavailable; with a
    key IdempotencyConflict and InvalidIdempotencyKey. Each of them but the first is noted as a
    refused send.
    """
    verification = get(verification_id)
    with noted_refusals(verification.phone, request):
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
    channel = channels.choose(channel, calls_of(verification), verification.is_long)
    client_ip.warn_of_missing_proxies(request)
    fixed_code = phones.fixed_code(verification.phone)
    if fixed_code is None:
        phones.check_allowed(verification.phone)
        call = _send(verification, channel, request, key)
    else:
        call = _send_test_call(verification, channel, fixed_code, request, key)
    if call is not None and fixed_code is None:
        dispatch.dispatch(call)
    verification.refresh_from_db()
    if call is None:
        raise _why_not_sent(verification)
    return verification


def _send(
    verification: Verification,
    channel: str,
    request: HttpRequest | None,
    key: idempotency.Key | None,
) -> CallRequest | None:
    """Count a send and insert its call. None: the verification takes no send now."""
    now = timezone.now()
    situation = step_up.look(verification.phone, request, now)
    check_account(situation)
    is_at_once = situation.short_refusal is not None and not verification.has_long_code
    if not (is_at_once or verification.is_rested(now)):
        # Before a challenge is asked for, which can be solved only once.
        return None
    plan = step_up.make_plan(situation, channel, verification.is_long)
    plan = ask_host(verification, plan, request)

    def count_and_insert(plan: Plan) -> CallRequest | None:
        if not Verification.count_send(verification.id, now, is_at_once):
            return None
        if plan.is_long != verification.is_long:
            Verification.change_code(verification.id, plan.is_long, plan.code_length)
        answer = _first_answer(key, verification, plan.channel)
        counted = reservations.reserve_send(verification, plan.terms, now)
        return insert_call(verification, plan, counted, answer)

    return step_up.send(plan, lambda plan: in_transaction(partial(count_and_insert, plan)))


def _send_test_call(
    verification: Verification,
    channel: str,
    fixed_code: str,
    request: HttpRequest | None,
    key: idempotency.Key | None,
) -> CallRequest | None:
    """Count a send to one of TEST_NUMBERS and insert its call. None as in ``_send``."""
    now = timezone.now()
    terms = test_terms(verification.phone, request)

    def count_and_insert() -> CallRequest | None:
        if not Verification.count_send(verification.id, now):
            return None
        answer = _first_answer(key, verification, channel)
        return create_test_call(
            verification, channel, fixed_code, terms, insert=False, idempotency=answer
        )

    return in_transaction(count_and_insert)


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
