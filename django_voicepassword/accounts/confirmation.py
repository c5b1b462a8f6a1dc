"""Proving again, for one important step, that the person who is logged in holds the phone; and who
did so lately.

A login by phone counts as such a proof. The session holds nothing but the verification's id.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import verifications
from django_voicepassword.accounts import users
from django_voicepassword.exceptions import Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive

#: What the verification of the pages is started for.
PURPOSE = "confirm"
SESSION_KEY = "voicepassword_confirmed"
#: Where a program that has no session sends the proof that ``check/`` gave it.
PROOF_HEADER = "X-VoicePassword-Proof"


@sensitive
def confirm(request: HttpRequest, verification_id: UUID | str, code: str) -> Verification:
    """Check the code of who is logged in; a number that was not the person's yet is from now on.

    Raises what ``verifications.check`` raises, and Refused.
    """
    verification = verifications.check(
        verification_id,
        code,
        request=request,
        purpose=PURPOSE,
        find_user=lambda approved: _own(request.user, approved),
    )
    remember(request, verification)
    return verification


def remember(request: HttpRequest, verification: Verification) -> None:
    """This session proved a number, now."""
    request.session[SESSION_KEY] = str(verification.id)


def is_confirmed(request: HttpRequest, max_age: float | None = None) -> bool:
    """Did who is logged in prove to hold their phone, within ``max_age`` seconds? None: at any
    time.

    Told by the session, or by the header X-VoicePassword-Proof; and, with None, by any verification
    of the user.
    """
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    if max_age is None and (
        users.has_verified(user)
        or Verification.objects.filter(user=user, status=Verification.Status.APPROVED).exists()
    ):
        return True
    return _by_session(request, user, max_age) or _by_proof(request, user, max_age)


def _by_session(request: HttpRequest, user: Any, max_age: float | None) -> bool:
    session = getattr(request, "session", None)
    key = session.get(SESSION_KEY) if session is not None else None
    if key is None:
        return False
    try:
        verification = verifications.get(key)
    except Verification.DoesNotExist:
        return False
    if verification.user_id != user.pk or verification.approved_at is None:
        return False
    return max_age is None or verification.approved_at > timezone.now() - timedelta(seconds=max_age)


def _by_proof(request: HttpRequest, user: Any, max_age: float | None) -> bool:
    given = request.headers.get(PROOF_HEADER)
    if not given:
        return False
    try:
        proof = verifications.read_proof(given, max_age)
    except VerificationError:
        return False
    return proof.phone in users.phones_of(user)


def _own(user: Any, verification: Verification) -> Any:
    if verification.user_id != user.pk:
        raise Refused("the verification was started by somebody else")
    holder = users.find(verification.phone)
    if holder != user:
        users.take(user, verification.phone, holder)
    return user
