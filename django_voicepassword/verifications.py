"""The front door: ``start``, ``resend``, ``check``, ``cancel``. Every surface calls these and holds
no rule of its own.

Everything that rings or guesses is counted before it is tried, by one conditional UPDATE or under a
row lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone
from django.utils.module_loading import import_string

from django_voicepassword import channels, dispatch, limits, phones, signals, transactions
from django_voicepassword.calls import recovery
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    InvalidProof,
    RateLimited,
    Refused,
    TooManyAttempts,
    VerificationClosed,
    VerificationError,
    VerificationExpired,
    WrongCode,
)
from django_voicepassword.limits import client_ip, subjects
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import callback_tokens, codes
from django_voicepassword.security.sensitive import sensitive

Result = TypeVar("Result")


@dataclass(frozen=True)
class Proof:
    """What a proof says: ``phone`` (E.164 digits) was proved for ``purpose`` in the verification of
    this id.
    """

    phone: str
    purpose: str
    verification: UUID

    def __repr__(self) -> str:
        return f"<Proof {self.purpose}>"


def _database() -> str:
    return router.db_for_write(Verification)


_needs_database = transactions.needs_database(_database)


@sensitive
@_needs_database
def start(
    phone: str,
    purpose: str = "login",
    channel: str | None = None,
    request: HttpRequest | None = None,
    user: Any = None,
) -> Verification:
    """Open a verification of ``phone`` and have its first call placed once the transaction is
    committed.

    ``channel`` defaults to the first of CHANNELS; ``user`` is whose phone is to be proved, where
    that is known before. Raises InvalidPhone, PrefixNotAllowed, ChannelUnavailable, Refused,
    RateLimited, BudgetExhausted, and Unavailable when the call could be handed to nobody.
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
        _pretend(verification, channel, fixed_code, insert=True)
        return verification
    _ask_host(verification, channel, request)
    price = subjects.price_of_send(channel)

    def open_books() -> CallRequest:
        reserved = subjects.reserve_send(verification, price, now, request)
        verification.save(force_insert=True)
        return _queue_call(verification, channel, now, reserved)

    call = _in_transaction(open_books)
    dispatch.dispatch(call)
    if dispatch.leaves_to_workers():
        # Placed by now, it would be another row.
        verification.known_calls = [call]
    return verification


@sensitive
@_needs_database
def resend(
    verification_id: UUID | str, channel: str | None = None, request: HttpRequest | None = None
) -> Verification:
    """Send the code once more, by ``channel`` or the next one of CHANNELS.

    Raises Verification.DoesNotExist, VerificationExpired, VerificationClosed, TooManyAttempts,
    ChannelUnavailable, Refused, RateLimited (limits ``resend_after`` and ``sends`` beside those of
    LIMITS), BudgetExhausted, Unavailable.
    """
    verification = get(verification_id)
    _check_open(verification)
    calls = _calls(verification)
    channel = channels.choose(channel, calls)
    fixed_code = phones.fixed_code(verification.phone)
    if fixed_code is None:
        _ask_host(verification, channel, request)
    price = subjects.price_of_send(channel)
    now = timezone.now()

    def open_books() -> CallRequest | None:
        if not Verification.count_send(
            verification.id, settings.MAX_SENDS, settings.RESEND_AFTER, now
        ):
            return None
        if fixed_code is not None:
            return _pretend(verification, channel, fixed_code, insert=False)
        reserved = subjects.reserve_send(verification, price, now, request)
        return _queue_call(verification, channel, now, reserved)

    call = _in_transaction(open_books)
    if call is not None and fixed_code is None:
        dispatch.dispatch(call)
    verification.refresh_from_db()
    if call is None:
        raise _why_not_sent(verification, now)
    return verification


@sensitive
@_needs_database
def check(
    verification_id: UUID | str,
    code: str,
    request: HttpRequest | None = None,
    purpose: str | None = None,
    find_user: Callable[[Verification], Any] | None = None,
) -> Verification:
    """Compare a typed code; the right one approves the verification, once. No answer comes before
    the guess is counted.

    ``purpose``: what the verification must have been started for. ``find_user``: whose the number
    is, asked once the verification is approved; it may raise Refused, which leaves the verification
    approved. Raises Verification.DoesNotExist, WrongCode, TooManyAttempts, VerificationExpired,
    VerificationClosed, Refused (the purpose is another), and RateLimited (limit ``phone_guesses``)
    when too many guesses were wrong over all verifications of the number.
    """
    key = _parse_id(verification_id)
    guess = codes.clean_guess(code)
    now = timezone.now()
    if not guess:
        # Nothing was typed: it cannot be right, so it costs nothing.
        verification = get(key)
        _check_open(verification)
        raise WrongCode(attempts_left(verification))
    judged, error = transactions.begin_anew(
        lambda: _judge(key, guess, purpose, now, request), _database()
    )
    if judged is None:
        verification = get(key)
        _check_open(verification)
        raise TooManyAttempts(_seconds_until(verification.expires_at, now))
    if isinstance(error, WrongCode):
        _announce(signals.verification_failed, judged, request)
    if error is not None:
        raise error
    try:
        if find_user is not None:
            _give_to(judged, find_user(judged))
    finally:
        _announce(signals.phone_verified, judged, request)
    return judged


def _judge(
    key: UUID, guess: str, purpose: str | None, now: datetime, request: HttpRequest | None
) -> tuple[Verification | None, VerificationError | None]:
    """Count a guess, then look at it, under the locks of the verification and of its budget; None:
    it may not be guessed.

    What is wrong with it is returned, not raised: the count is to be committed before anybody hears
    of it.
    """
    if not Verification.count_guess(key, settings.MAX_ATTEMPTS, now):
        return None, None
    verification = Verification.objects.get(id=key)
    if purpose is not None and verification.purpose != purpose:
        return verification, Refused("the verification was started for another purpose")
    try:
        reservation = subjects.reserve_guess(verification, now, request)
    except limits.ClockSkewRateLimited as error:
        limits.count_from_now(error.keys, now)
        return verification, error
    except RateLimited as error:
        return verification, error
    calls = verification.known_calls = _calls(verification)
    digests = [call.code_digest for call in calls if call.may_have_rung]
    if codes.matches(verification.id, verification.phone, guess, digests):
        # A right one costs the number nothing.
        return (verification if verification.approve(timezone.now()) else None), None
    reservation.commit()
    left = attempts_left(verification)
    if left == 0:
        verification.exhaust()
    return verification, WrongCode(left)


@_needs_database
def cancel(verification_id: UUID | str) -> Verification:
    """Close a pending verification: nothing is called for it any more and its code is worth
    nothing.
    """
    verification = get(verification_id)
    verification.cancel()
    return verification


@_needs_database
def get(verification_id: UUID | str) -> Verification:
    """The verification of an id. Raises Verification.DoesNotExist, also for a text that is no id,
    and Unavailable.
    """
    verification = Verification.objects.get(id=_parse_id(verification_id))
    if recovery.is_ahead(verification):
        recovery.restamp()
        verification.refresh_from_db()
    return verification


def make_proof(verification: Verification) -> str:
    """A signed token that says that the verification is approved; read it with ``read_proof``."""
    if verification.status != Verification.Status.APPROVED:
        raise InvalidProof("only an approved verification has a proof")
    return callback_tokens.make_proof(verification.id)


def read_proof(proof: str, max_age: float | None = None) -> Proof:
    """What a proof proves. Raises InvalidProof, or VerificationExpired when it is older than
    ``max_age`` seconds.
    """
    key = callback_tokens.parse_proof(proof, max_age)
    verification = Verification.objects.filter(id=key, status=Verification.Status.APPROVED).first()
    if verification is None:
        raise InvalidProof("the verification of this proof is gone")
    return Proof(verification.phone, verification.purpose, verification.id)


def attempts_left(verification: Verification) -> int:
    """Guesses that remain."""
    return max(int(settings.MAX_ATTEMPTS) - verification.attempts, 0)


def _give_to(verification: Verification, user: Any) -> None:
    if user is not None and verification.user_id != user.pk:
        verification.user = user
        verification.save(update_fields=["user"])


def _calls(verification: Verification) -> list[CallRequest]:
    """The calls of a verification, oldest first."""
    return list(verification.calls.order_by("id"))


def _check_open(verification: Verification) -> None:
    """Raise what a verification that cannot go on tells the person."""
    now = timezone.now()
    if verification.status == Verification.Status.MAX_ATTEMPTS and verification.expires_at > now:
        raise TooManyAttempts(_seconds_until(verification.expires_at, now))
    if verification.status in (Verification.Status.APPROVED, Verification.Status.CANCELED):
        raise VerificationClosed
    if verification.expires_at <= now:
        raise VerificationExpired


def _why_not_sent(verification: Verification, now: datetime) -> Exception:
    _check_open(verification)
    if verification.sends >= settings.MAX_SENDS:
        return RateLimited("sends", _seconds_until(verification.expires_at, now))
    rested = (verification.last_sent_at or now) + timedelta(seconds=settings.RESEND_AFTER)
    return RateLimited("resend_after", _seconds_until(rested, now))


def _ask_host(verification: Verification, channel: str, request: HttpRequest | None) -> None:
    """BEFORE_SEND may raise Refused. It is asked before any lock is taken: it may be slow."""
    path = settings.BEFORE_SEND
    if path is None:
        return
    try:
        ask = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["BEFORE_SEND"] cannot be imported: {error}'
        ) from error
    ask(verification, channel, request)


def _queue_call(
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


def _pretend(verification: Verification, channel: str, code: str, insert: bool) -> CallRequest:
    """A call to one of TEST_NUMBERS: rows as of a call that was answered, nothing sent, nothing
    counted.
    """
    now = timezone.now()
    with transaction.atomic(using=_database()):
        if insert:
            verification.save(force_insert=True)
        call = CallRequest.objects.create(
            verification=verification,
            phone=verification.phone,
            channel=channel,
            state=CallRequest.State.DELIVERED if channel == "sms" else CallRequest.State.ANSWERED,
            provider_id="test",
            service=CallRequest.TEST_SERVICE,
            created_at=now,
            claimed_at=now,
            placed_at=now,
            finished_at=now,
            code_digest=codes.digest(verification.id, verification.phone, code),
        )
        CallStatus.objects.create(
            call=call, state=call.state, raw_state="test", source=CallStatus.Source.SEND
        )
    return call


def _in_transaction(work: Callable[[], Result]) -> Result:
    try:
        return transactions.begin_anew(work, _database())
    except limits.ClockSkewRateLimited as error:
        limits.count_from_now(error.keys, timezone.now())
        raise


def _announce(signal: Signal, verification: Verification, request: HttpRequest | None) -> None:
    # The user is a query, for nobody where nobody listens.
    if signal.has_listeners(Verification):
        values = {"verification": verification, "user": verification.user, "request": request}
        signals.announce(signal, Verification, _database(), **values)


def _parse_id(verification_id: UUID | str) -> UUID:
    if isinstance(verification_id, UUID):
        return verification_id
    try:
        return UUID(str(verification_id))
    except ValueError:
        raise Verification.DoesNotExist("no verification has this id") from None


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(ceil((moment - now).total_seconds()), 1)
