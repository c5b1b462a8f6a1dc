"""``check``, ``cancel`` and ``get``: a guess is counted before it is compared.

A guess that is not compared costs no attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from django.db import router
from django.db.models import QuerySet
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import limits, signals, transactions
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    RateLimited,
    Refused,
    TooManyAttempts,
    VerificationClosed,
    VerificationExpired,
    WrongCode,
)
from django_voicepassword.limits import guard, reservations
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.compiled import Select, Update
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.security import codes
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import step_up

#: How many codes of one verification are accepted at most.
MOST_CODES = 2
Result = TypeVar("Result")


@dataclass(frozen=True)
class JudgedGuess:
    """A counted and compared guess; ``error`` is None where it approved the verification."""

    verification: Verification
    error: WrongCode | None = None


class WrittenWithApproval(Protocol):
    """What a right guess writes beside, in the transaction that approves the verification."""

    def lock_keys(self, phone: str) -> list[str]:
        """Return the keys of ``limits.lock`` that it needs."""

    def write(self, phone: str) -> None:
        """Write it. The keys are locked. It may be called again where that was rolled back."""


def database() -> str:
    """The alias of the database that verifications are written to."""
    return router.db_for_write(Verification)


translate_database_errors = transactions.translate_database_errors(database)


@sensitive
@translate_database_errors
def check(
    verification_id: UUID | str,
    code: str,
    request: HttpRequest | None = None,
    purpose: str | None = None,
    find_user: Callable[[Verification], Any] | None = None,
    device: WrittenWithApproval | None = None,
) -> Verification:
    """Compare a typed code; the right one approves the verification, once.

    The guess is counted before it is compared. A guess that is not compared costs no attempt: one
    for another purpose, one that a limit refuses, one that cannot be right, because it is not
    ``code_length`` digits long, and one that comes before the provider has told its code.
    ``purpose`` is what the verification must have been started for. ``find_user`` returns the user
    of the number; it is called once the verification is approved. It may raise Refused, and the
    verification stays approved. ``device`` is written together with the approval.

    Raises Verification.DoesNotExist, WrongCode, TooManyAttempts, VerificationExpired,
    VerificationClosed, Refused (another purpose), and RateLimited: limit ``phone_guesses`` or
    ``long_guesses`` after too many wrong guesses over all verifications of the number, and
    ``guard`` while short codes are not compared because others guess them all over the site.
    """
    key = _parse_id(verification_id)
    guess = codes.clean_guess(code)
    if not codes.is_code(guess):
        verification = get(key)
        check_open(verification)
        raise WrongCode(verification.attempts_left, verification.code_length)
    now = timezone.now()
    try:
        judged = in_transaction(lambda: _judge(key, guess, purpose, now, request, device))
    except RateLimited as error:
        step_up.offer_longer_code(get(key), error, now)
        raise
    if judged is None:
        verification = get(key)
        check_open(verification)
        raise TooManyAttempts(seconds_until(verification.expires_at, least=1))
    approved = judged.verification
    if judged.error is not None:
        _announce(signals.verification_failed, approved, request)
        raise judged.error
    try:
        if find_user is not None:
            _set_user(approved, find_user(approved))
    finally:
        _announce(signals.phone_verified, approved, request)
    return approved


def _judge(
    key: UUID,
    guess: str,
    purpose: str | None,
    now: datetime,
    request: HttpRequest | None,
    device: WrittenWithApproval | None,
) -> JudgedGuess | None:
    """Count a guess, then compare it, under the row locks of the verification and its limits.

    None: the verification takes no guess any more, or another request approved it meanwhile. The
    error of a compared guess is returned, not raised: raising rolls back the count. The errors of a
    guess that is not compared are raised, because such a guess costs no attempt.
    """
    if not Verification.count_guess(key, now):
        return None
    verification, is_guarded = _read_guessed(key)
    _check_comparable(verification, guess, purpose)
    if is_guarded and settings.FRAUD_GUARD == "enforce":
        step_up.refuse_short_code(verification, request, now)
    calls = verification.known_calls or []
    calls_with_code = carrying_code(verification, calls)
    digests = _accepted_digests(calls_with_code)
    if not digests and any(call.may_have_rung for call in calls_with_code):
        # The provider made the code, and its reply has not arrived: the phone may ring before.
        raise WrongCode(verification.attempts_left + 1)
    # All at once, before the comparison: a right guess must not take longer than a wrong one where
    # the limit refuses both.
    also = limits.shared_keys(calls)
    if device is not None:
        also += device.lock_keys(verification.phone)
    reservation = reservations.reserve_guess(
        verification, now, request, events=max(len(digests), 1), also=also
    )
    if codes.matches(verification.id, verification.phone, guess, digests):
        # The reservation is not committed: only wrong guesses count for the number.
        if not verification.approve(timezone.now()):
            return None
        limits.close_approved(calls, reservation.rows)
        if device is not None:
            device.write(verification.phone)
        return JudgedGuess(verification)
    reservation.commit()
    if verification.attempts_left == 0:
        verification.exhaust()
    return JudgedGuess(verification, WrongCode(verification.attempts_left))


def _check_comparable(verification: Verification, guess: str, purpose: str | None) -> None:
    """Raise the error of a counted guess that is not compared. It takes back the count."""
    if purpose is not None and verification.purpose != purpose:
        raise Refused("the verification was started for another purpose")
    if len(guess) != verification.code_length:
        raise WrongCode(verification.attempts_left + 1, verification.code_length)


def _accepted_digests(calls: Sequence[CallRequest]) -> list[str]:
    """The digests of the codes that are accepted: of the newest code, and of the one before it.

    ``calls`` are those whose codes count: where the code is long, those that carry a long one.
    The provider makes another code for each call (CODE_SOURCE "service"), and each accepted code
    makes a lucky guess more likely. The newest call may still be on its way while the person types
    the code of the one before.
    """
    digests = [call.code_digest for call in reversed(calls) if call.may_have_rung]
    return list(dict.fromkeys(filter(None, digests)))[:MOST_CODES]


def in_transaction(work: Callable[[], Result]) -> Result:
    """Run ``work``, which reserves from the limits, in a transaction; it may run several times."""
    return limits.in_transaction(work, database())


@translate_database_errors
def cancel(verification_id: UUID | str) -> Verification:
    """Close a pending verification: no more calls are made, and its code is worth nothing."""
    verification = get(verification_id)
    transactions.retry(verification.cancel, database())
    return verification


@translate_database_errors
def get(verification_id: UUID | str) -> Verification:
    """The verification of an id; nothing is written.

    Raises Verification.DoesNotExist, also for a text that is no id, and Unavailable.
    """
    return Verification.objects.get(id=_parse_id(verification_id))


def calls_of(verification: Verification) -> list[CallRequest]:
    """The calls of a verification, oldest first."""
    return _CALLS(verification=verification.pk)


def _read_guessed(key: UUID) -> tuple[Verification, bool]:
    """Read a verification with its calls; and whether wrong guesses have tripped the site."""
    calls = _GUESSED(verification=key)
    if not calls:
        [guarded] = _WITHOUT_CALLS(id=key)
        return guarded, guarded.is_guarded
    verification: Verification = calls[0].verification
    for call in calls:
        call.verification = verification
    verification.known_calls = calls
    return verification, calls[0].is_guarded


def _calls(verification: Any) -> QuerySet[CallRequest]:
    return CallRequest.objects.filter(verification=verification).order_by("id")


def _guessed(verification: Any) -> QuerySet[CallRequest]:
    guarded = _calls(verification).annotate(is_guarded=guard.tripped_by_guesses())
    return guarded.select_related("verification")


def _without_calls(id: Any) -> QuerySet[Verification]:
    return Verification.objects.annotate(is_guarded=guard.tripped_by_guesses()).filter(id=id)


def _with_user(id: Any, user: Any) -> tuple[QuerySet[Verification], dict[str, Any]]:
    return Verification.objects.filter(id=id), {"user": user}


_CALLS = Select(CallRequest, _calls, verification="verification")
_GUESSED: Select[Any] = Select(CallRequest, _guessed, verification="verification")
_WITHOUT_CALLS: Select[Any] = Select(Verification, _without_calls, id="id")
_SET_USER = Update(Verification, _with_user, id="id", user="user")


def carrying_code(verification: Verification, calls: Sequence[CallRequest]) -> list[CallRequest]:
    """Those of ``calls`` whose code counts: where the code is long, those that carry a long one."""
    return [call for call in calls if call.capacity or not verification.is_long]


def check_open(verification: Verification) -> None:
    """Raise the error that says why a verification cannot go on, if it cannot."""
    if verification.status in (Verification.Status.APPROVED, Verification.Status.CANCELED):
        raise VerificationClosed
    # The clock of the server that wrote the status may be ahead of this one.
    if verification.is_expired or verification.status == Verification.Status.EXPIRED:
        raise VerificationExpired
    if verification.current_status == Verification.Status.MAX_ATTEMPTS:
        raise TooManyAttempts(seconds_until(verification.expires_at, least=1))


def _set_user(verification: Verification, user: Any) -> None:
    if user is not None and verification.user_id != user.pk:
        verification.user = user
        transactions.retry(lambda: _SET_USER(id=verification.id, user=user.pk), database())


def _announce(signal: Signal, verification: Verification, request: HttpRequest | None) -> None:
    # Reading the user is a query: skip it where nobody listens.
    if signal.has_listeners(Verification):
        values = {"verification": verification, "user": verification.user, "request": request}
        signals.announce(signal, Verification, database(), **values)


def _parse_id(verification_id: UUID | str) -> UUID:
    if isinstance(verification_id, UUID):
        return verification_id
    try:
        return UUID(str(verification_id))
    except ValueError:
        raise Verification.DoesNotExist("no verification has this id") from None
