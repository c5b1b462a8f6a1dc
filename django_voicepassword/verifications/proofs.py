"""Signed tokens that prove that a number was verified, for programs to pass on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.core import signing
from django.utils import timezone

from django_voicepassword import transactions
from django_voicepassword.exceptions import (
    InvalidProof,
    VerificationExpired,
)
from django_voicepassword.models import Verification
from django_voicepassword.verifications.checking import database, translate_database_errors

_SALT = "django_voicepassword.proof"


@dataclass(frozen=True)
class Proof:
    """``phone`` (E.164 digits) was verified for ``purpose``; ``verification`` is the id."""

    phone: str
    purpose: str
    verification: UUID

    def __repr__(self) -> str:
        return f"<Proof {self.purpose}>"


def make_proof(verification: Verification) -> str:
    """A signed token that proves an approved verification; read it with ``read_proof``."""
    if verification.status != Verification.Status.APPROVED or verification.is_masked:
        raise InvalidProof("only an approved verification with its whole number has a proof")
    return sign(verification.id)


@translate_database_errors
def read_proof(
    proof: str, max_age: float | None = None, purpose: str | None = None, once: bool = False
) -> Proof:
    """The verification that a token proves.

    ``purpose`` is what the verification must have been started for. With ``once``, a proof is valid
    for the first call of this function alone; a proof that this function refuses stays valid.

    Raises VerificationExpired where the number was proved more than ``max_age`` seconds ago,
    however young the token is. Raises InvalidProof where it is not of this site, where the
    verification is gone, has another purpose or was redeemed before, and where the number was
    masked (RETENTION). Raises Unavailable.
    """
    verification_id = parse(proof)
    verification = (
        Verification.objects.using(database())
        .filter(id=verification_id, status=Verification.Status.APPROVED)
        .first()
    )
    if verification is None or verification.is_masked:
        raise InvalidProof("the verification of this proof is gone")
    if max_age is not None and not verification.is_approved_within(max_age):
        raise VerificationExpired("the proof is too old: prove the phone again")
    if purpose is not None and verification.purpose != purpose:
        raise InvalidProof("the proof is of another purpose")
    if once and not _redeem(verification):
        raise InvalidProof("the proof was used before")
    return Proof(verification.phone, verification.purpose, verification.id)


def _redeem(verification: Verification) -> bool:
    """Mark a proof as used. True for exactly one of several callers."""
    return transactions.atomic_with_retry(lambda: verification.redeem(timezone.now()), database())


def sign(verification_id: UUID) -> str:
    """A signed token with the id of a verification; it contains no phone number."""
    return signing.dumps(str(verification_id), salt=_SALT)


def parse(proof: str) -> UUID:
    """The id in a token. Raises InvalidProof."""
    try:
        return UUID(signing.loads(proof, salt=_SALT))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise InvalidProof("this is no proof of ours") from None
