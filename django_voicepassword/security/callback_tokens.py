"""Signed texts that leave the site: the token in a callback address, and the proof that a number
was proved.

Both are signed with SECRET_KEY; SECRET_KEY_FALLBACKS are honoured by Django's signer.
"""

from __future__ import annotations

from django.core import signing

_CALLBACK_SALT = "django_voicepassword.callback"


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


def _callback_signer() -> signing.Signer:
    # A dot needs no escaping in a URL, and no base64 text contains one.
    return signing.Signer(salt=_CALLBACK_SALT, sep=".")
