"""``check``, ``cancel`` and ``get``: a guess is counted before it is compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import ceil
from typing import Any
from uuid import UUID

from django.db import router
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import limits, signals, transactions
from django_voicepassword.calls import recovery
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    RateLimited,
    Refused,
    TooManyAttempts,
    VerificationClosed,
    VerificationError,
    VerificationExpired,
    WrongCode,
)
from django_voicepassword.limits import subjects
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import codes
from django_voicepassword.security.sensitive import sensitive


def database() -> str:
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
        check_open(verification)
        raise WrongCode(attempts_left(verification))
    judged, error = transactions.atomic_with_retry(
        lambda: _judge(key, guess, purpose, now, request), database()
    )
    if judged is None:
        verification = get(key)
        check_open(verification)
        raise TooManyAttempts(seconds_until(verification.expires_at, now))
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
    calls = verification.known_calls = calls_of(verification)
    digests = [call.code_digest for call in calls if call.may_have_rung]
    if codes.matches(verification.id, verification.phone, guess, digests):
        # A right one costs the number nothing.
        return (verification if verification.approve(timezone.now()) else None), None
    reservation.commit()
    left = attempts_left(verification)
    if left == 0:
        verification.exhaust()
    return verification, WrongCode(left)


@translate_database_errors
def cancel(verification_id: UUID | str) -> Verification:
    """Close a pending verification: nothing is called for it any more and its code is worth
    nothing.
    """
    verification = get(verification_id)
    verification.cancel()
    return verification


@translate_database_errors
def get(verification_id: UUID | str) -> Verification:
    """The verification of an id. Raises Verification.DoesNotExist, also for a text that is no id,
    and Unavailable.
    """
    verification = Verification.objects.get(id=_parse_id(verification_id))
    if recovery.is_ahead(verification):
        recovery.restamp()
        verification.refresh_from_db()
    return verification


def attempts_left(verification: Verification) -> int:
    """Guesses that remain."""
    return max(int(settings.MAX_ATTEMPTS) - verification.attempts, 0)


def _give_to(verification: Verification, user: Any) -> None:
    if user is not None and verification.user_id != user.pk:
        verification.user = user
        verification.save(update_fields=["user"])


def calls_of(verification: Verification) -> list[CallRequest]:
    """The calls of a verification, oldest first."""
    return list(verification.calls.order_by("id"))


def check_open(verification: Verification) -> None:
    """Raise what a verification that cannot go on tells the person."""
    now = timezone.now()
    if verification.status == Verification.Status.MAX_ATTEMPTS and verification.expires_at > now:
        raise TooManyAttempts(seconds_until(verification.expires_at, now))
    if verification.status in (Verification.Status.APPROVED, Verification.Status.CANCELED):
        raise VerificationClosed
    if verification.expires_at <= now:
        raise VerificationExpired


def _announce(signal: Signal, verification: Verification, request: HttpRequest | None) -> None:
    # The user is a query, for nobody where nobody listens.
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


def seconds_until(moment: datetime, now: datetime) -> int:
    return max(ceil((moment - now).total_seconds()), 1)
