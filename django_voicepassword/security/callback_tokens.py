"""Signed texts that leave the site: the token in a callback address, and the proof that a number
was proved.

Both are signed with SECRET_KEY; SECRET_KEY_FALLBACKS are honoured by Django's signer.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.core import signing

from django_voicepassword.exceptions import InvalidProof, VerificationExpired

_CALLBACK_SALT = "django_voicepassword.callback"
_PROOF_SALT = "django_voicepassword.proof"


def make_callback_token(call_id: int) -> str:
    """A text for a URL that says which call request it is and that nobody else can make."""
    return _callback_signer().sign(str(call_id))


def parse_callback_token(token: str) -> int | None:
    """The call request's key, or None for a token that was not made here."""
    try:
        text = _callback_signer().unsign(token)
    except (signing.BadSignature, ValueError):
        # ValueError: lone surrogates, which nobody can sign.
        return None
    return int(text) if text.isascii() and text.isdigit() else None


def make_proof(verification_id: UUID) -> str:
    """A token that names an approved verification; it holds no phone number."""
    return signing.dumps(str(verification_id), salt=_PROOF_SALT)


def parse_proof(proof: str, max_age: float | None = None) -> UUID:
    """The verification's id. Raises InvalidProof, or VerificationExpired when older than
    ``max_age`` seconds.
    """
    limit = None if max_age is None else timedelta(seconds=max_age)
    try:
        return UUID(signing.loads(proof, salt=_PROOF_SALT, max_age=limit))
    except signing.SignatureExpired:
        raise VerificationExpired("the proof is too old: prove the phone again") from None
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        raise InvalidProof("this is no proof of ours") from None


def _callback_signer() -> signing.Signer:
    # A dot needs no escaping in a URL, and no base64 text contains one.
    return signing.Signer(salt=_CALLBACK_SALT, sep=".")
