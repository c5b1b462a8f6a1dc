"""Confirm a number again before an important step, and ask whether it was confirmed lately.

A login by phone counts as a confirmation. The session holds only the id of the verification.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from django_voicepassword import verifications
from django_voicepassword.accounts import proofs, users
from django_voicepassword.exceptions import InvalidProof, Refused, VerificationExpired
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive

#: The purpose of the verifications that the page ``confirm/`` starts.
PURPOSE = "confirm"
#: What a verification must have been started for to count as a confirmation: a code that somebody
#: typed to subscribe to a newsletter does not confirm a payment.
CONFIRMING = (PURPOSE, "login")
SESSION_KEY = "voicepassword_confirmed"
#: The header in which a program without a session sends the proof that ``check/`` answered.
PROOF_HEADER = "X-VoicePassword-Proof"


@sensitive
def confirm(request: HttpRequest, verification_id: UUID | str, code: str) -> Verification:
    """Check a code for the logged-in user; from then on the number is theirs.

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
    """Note in the session that a number was just verified."""
    request.session[SESSION_KEY] = str(verification.id)


def is_confirmed(request: HttpRequest, max_age: float | None = None) -> bool:
    """Did the logged-in user confirm their number within ``max_age`` seconds?

    The session says so, or the proof in the header X-VoicePassword-Proof; the proof must be of a
    login, or of a verification with the purpose ``confirm``. Without ``max_age`` the
    age does not matter. In both cases the user must still hold the proved number.
    """
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    if max_age is None:
        return proofs.has_proved_number(user)
    return _by_session(request, user, max_age) or _by_proof(request, user, max_age)


def _by_session(request: HttpRequest, user: Any, max_age: float) -> bool:
    session = getattr(request, "session", None)
    key = session.get(SESSION_KEY) if session is not None else None
    if key is None:
        return False
    try:
        verification = verifications.get(key)
    except Verification.DoesNotExist:
        return False
    if verification.user_id != user.pk or verification.purpose not in CONFIRMING:
        return False
    if not verification.is_approved_within(max_age):
        return False
    return verification.phone in users.phones_of(user)


def _by_proof(request: HttpRequest, user: Any, max_age: float) -> bool:
    given = request.headers.get(PROOF_HEADER)
    if not given:
        return False
    try:
        proof = verifications.read_proof(given, max_age)
    except (InvalidProof, VerificationExpired):
        return False
    return proof.purpose in CONFIRMING and proof.phone in users.phones_of(user)


def _own(user: Any, verification: Verification) -> Any:
    if verification.user_id != user.pk:
        raise Refused("the verification was started by somebody else")
    users.assign(user, verification.phone)
    return user
