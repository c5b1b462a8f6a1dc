"""The token in a callback URL, which names a call request and cannot be forged.

It is signed with SECRET_KEY; tokens signed with one of SECRET_KEY_FALLBACKS remain valid.
"""

from __future__ import annotations

from django.core import signing

_CALLBACK_SALT = "django_voicepassword.callback"


def make_callback_token(call_id: int) -> str:
    """Make the token of a call request, safe to use in a URL."""
    return _callback_signer().sign(str(call_id))


def parse_callback_token(token: str) -> int | None:
    """The primary key of the call request, or None if the signature is wrong."""
    try:
        text = _callback_signer().unsign(token)
    except (signing.BadSignature, ValueError):
        # ValueError: text with lone surrogates cannot be encoded, so it cannot have a signature.
        return None
    return int(text) if text.isascii() and text.isdigit() else None


def _callback_signer() -> signing.Signer:
    # A dot needs no escaping in a URL, and a base64 signature never contains one.
    return signing.Signer(salt=_CALLBACK_SALT, sep=".")
