"""Signed tokens that prove that a number was verified, for programs to pass on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.core import signing

from django_voicepassword.exceptions import (
    InvalidProof,
    VerificationExpired,
)
from django_voicepassword.models import Verification

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
    if verification.status != Verification.Status.APPROVED:
        raise InvalidProof("only an approved verification has a proof")
    return sign(verification.id)


def read_proof(proof: str, max_age: float | None = None) -> Proof:
    """The verification that a token proves.

    Raises InvalidProof, or VerificationExpired where it is older than ``max_age`` seconds.
    """
    verification_id = parse(proof, max_age)
    verification = Verification.objects.filter(
        id=verification_id, status=Verification.Status.APPROVED
    ).first()
    if verification is None:
        raise InvalidProof("the verification of this proof is gone")
    return Proof(verification.phone, verification.purpose, verification.id)


def sign(verification_id: UUID) -> str:
    """A signed token with the id of a verification; it contains no phone number."""
    return signing.dumps(str(verification_id), salt=_SALT)


def parse(proof: str, max_age: float | None = None) -> UUID:
    """The id in a token.

    Raises InvalidProof, or VerificationExpired where it is older than ``max_age`` seconds.
    """
    limit = None if max_age is None else timedelta(seconds=max_age)
    try:
        return UUID(signing.loads(proof, salt=_SALT, max_age=limit))
    except signing.SignatureExpired:
        raise VerificationExpired("the proof is too old: prove the phone again") from None
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise InvalidProof("this is no proof of ours") from None
