"""``start``: a send is counted before it is tried, and its call is placed after the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, router
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from django_voicepassword import limits, phones, statistics, transactions
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Unavailable, VerificationError
from django_voicepassword.limits import client_ip, refusals, reservations
from django_voicepassword.models import CallRequest, ConsentText, Verification
from django_voicepassword.models.compiled import Insert
from django_voicepassword.models.moments import after
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import channels, dispatch, idempotency, step_up
from django_voicepassword.verifications.checking import (
    in_transaction,
    translate_database_errors,
)
from django_voicepassword.verifications.fixed_codes import create_test_call
from django_voicepassword.verifications.step_up import Plan, Situation


@sensitive
@translate_database_errors
def start(
    phone: str,
    purpose: str = "login",
    channel: str | None = None,
    request: HttpRequest | None = None,
    user: Any = None,
    idempotency_key: str | None = None,
    consent: str = "",
) -> Verification:
    """Open a verification of ``phone``; its first call is placed once the transaction is committed.

    ``channel`` defaults to the first of CHANNELS. ``user`` is the user whose number is to be
    verified, where that is known beforehand. A start that is repeated with the same
    ``idempotency_key`` returns the verification of the first one, and nothing rings again.
    ``consent`` is the text that the person was shown before; it is kept word for word.

    Raises InvalidPhone, PrefixNotAllowed, ChannelUnavailable, Refused, RateLimited,
    ChallengeRequired, BudgetExhausted, and Unavailable where nobody took the call; with a key
    IdempotencyConflict and InvalidIdempotencyKey. Each of them is noted as a refused send.
    """
    with noted_refusals("", request):
        number = phones.normalize(phone)
    with noted_refusals(number, request):
        key = idempotency.read_key(idempotency_key, number, purpose, channel or None)

        def open_verification() -> Verification:
            return _start(number, purpose, channel or None, request, user, key, consent)

        return idempotency.send_once(key, open_verification, dispatch.resume)


def _start(
    number: phones.Phone,
    purpose: str,
    channel: str | None,
    request: HttpRequest | None,
    user: Any,
    key: idempotency.Key | None,
    consent: str,
) -> Verification:
    fixed_code = phones.fixed_code(number)
    if fixed_code is None:
        phones.check_allowed(number)
    channel = channels.choose(channel)
    client_ip.warn_of_missing_proxies(request)
    now = timezone.now()
    verification = Verification(
        phone=number,
        purpose=purpose,
        sends=1,
        created_at=now,
        last_sent_at=now,
        expires_at=after(now, settings.CODE_TTL),
        code_length=len(fixed_code or ""),
        user=user if user is not None and user.is_authenticated else None,
        ip=client_ip.client_address(request),
        idempotency_digest=key.digest if key else None,
        consent=_kept(consent),
    )
    if fixed_code is not None:
        answer = key.answer(verification, channel) if key else None
        terms = test_terms(number, request)
        in_transaction(
            lambda: create_test_call(
                verification, channel, fixed_code, terms, insert=True, idempotency=answer
            )
        )
        return verification
    situation = step_up.look(number, request, now)
    check_account(situation)
    plan = step_up.make_plan(situation, channel)
    verification.is_long, verification.code_length = plan.is_long, plan.code_length
    plan = ask_host(verification, plan, request)

    def reserve_and_insert(plan: Plan) -> CallRequest:
        verification.is_long, verification.code_length = plan.is_long, plan.code_length
        answer = key.answer(verification, plan.channel) if key else None
        counted = reservations.reserve_send(verification, plan.terms, now)
        _INSERT_VERIFICATION(verification)
        return insert_call(verification, plan, counted, answer)

    call = step_up.send(
        plan, lambda plan: _insert_once(verification, partial(reserve_and_insert, plan))
    )
    dispatch.dispatch(call)
    if dispatch.leaves_to_workers():
        # A call that was placed inline has changed in the database since it was inserted.
        verification.known_calls = [call]
    return verification


def _kept(consent: str) -> ConsentText | None:
    """Return the row of a consent text; None for no text."""
    if not consent:
        return None
    return transactions.retry(lambda: ConsentText.keep(consent), router.db_for_write(ConsentText))


def _insert_once(verification: Verification, insert: Callable[[], CallRequest]) -> CallRequest:
    """Run ``insert`` in a transaction and return the call, also where the commit lost its answer.

    Then the transaction is repeated, finds the verification's own row and is rolled back.
    """
    try:
        return in_transaction(insert)
    except IntegrityError:
        call = CallRequest.objects.filter(verification_id=verification.id).first()
        if call is None:
            raise
        return call


def check_account(situation: Situation) -> None:
    """Raise Unavailable while the provider refuses the account: nothing would ring."""
    if situation.is_account_refused and statistics.account_is_refused():
        raise Unavailable("the provider refuses the account", is_lasting=True)


def ask_host(verification: Verification, plan: Plan, request: HttpRequest | None) -> Plan:
    """Call BEFORE_SEND, which may raise Refused, and return the plan of the send.

    It is called only where the limits have room, so the plan may be made harder before. No lock is
    held yet: the function may be slow, and may cost money.
    """
    path = settings.BEFORE_SEND
    if path is None:
        return plan
    try:
        before_send = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["BEFORE_SEND"] cannot be imported: {error}'
        ) from error
    plan = step_up.send(plan, _with_room)
    before_send(verification, plan.channel, request)
    return plan


def _with_room(plan: Plan) -> Plan:
    """Return the plan, if the limits have room for it now."""
    situation = plan.situation
    reservations.look_for_room(situation.phone, plan.terms, situation.now)
    return plan


def test_terms(phone: str, request: HttpRequest | None) -> limits.Terms:
    """Return the terms of a send to one of TEST_NUMBERS, which costs nothing."""
    lane = limits.lane_of(request, phone)
    return limits.Terms(lane=lane, address=client_ip.counted_address(request))


@contextmanager
def noted_refusals(phone: str, request: HttpRequest | None) -> Iterator[None]:
    """Note the error of a send that is refused (``limits.refusals``), and let it pass.

    ``phone`` is "" where it is not known to be a number.
    """
    try:
        yield
    except VerificationError as error:
        refusals.record(error, phone, request)
        raise


def insert_call(
    verification: Verification,
    plan: Plan,
    counted: str,
    idempotency: dict[str, Any] | None = None,
) -> CallRequest:
    """Insert a QUEUED call with what was reserved for it.

    ``counted`` is what ``reserve_send`` returned.
    """
    call = CallRequest(
        verification=verification,
        phone=verification.phone,
        channel=plan.channel,
        created_at=plan.situation.now,
        reserved_price=plan.terms.price,
        counted_address=plan.terms.address,
        lane=plan.terms.lane,
        is_open=True,
        counted=counted,
        capacity=plan.long_length,
        idempotency=idempotency,
    )
    _INSERT_CALL(call)
    return call


_INSERT_VERIFICATION, _INSERT_CALL = Insert(Verification), Insert(CallRequest)
