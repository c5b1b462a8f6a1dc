"""Codes: made from the verification's id, kept as keyed digests, compared in constant time.

No code is stored: four digits hashed plainly are found in milliseconds, so digests are keyed by
SECRET_KEY, and the code that we make ourselves is derived, not remembered. SECRET_KEY_FALLBACKS are
honoured in both.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from uuid import UUID

from django.conf import settings as django_settings
from django.utils.crypto import constant_time_compare, salted_hmac

from django_voicepassword.security.tracebacks import Secret

_CODE_SALT = "django_voicepassword.codes.make"
_DIGEST_SALT = "django_voicepassword.codes.digest"


def make(verification_id: UUID, length: int = 4) -> str:
    """The code of a verification, always the same: ``length`` ASCII digits."""
    mac = salted_hmac(_CODE_SALT, str(verification_id), algorithm="sha256").digest()
    return Secret(str(int.from_bytes(mac, "big") % 10**length).zfill(length))


def make_random(length: int = 4) -> str:
    """A code that belongs to no verification: what the provider does when it makes the code."""
    return str(secrets.randbelow(10**length)).zfill(length)


def digest(verification_id: UUID, phone: str, code: str, secret: str | bytes | None = None) -> str:
    """HMAC-SHA256 in hexadecimal (64 characters) over verification, phone and code."""
    # A guess out of JSON may hold lone surrogates: it is a wrong one, not a fault.
    value = f"{verification_id}:{phone}:{code}".encode("utf-8", "surrogatepass")
    return salted_hmac(_DIGEST_SALT, value, secret=secret, algorithm="sha256").hexdigest()


def matches(verification_id: UUID, phone: str, guess: str, digests: Iterable[str]) -> bool:
    """Is ``guess`` the code behind any of ``digests``? Compares all of them, whatever the first
    says.
    """
    kept = [one for one in digests if one]
    found = False
    for secret in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        guessed = digest(verification_id, phone, guess, secret)
        for one in kept:
            found |= constant_time_compare(one, guessed)
    return found


def clean_guess(text: object) -> str:
    """A typed code without the spaces and dashes that people and keyboards add: ``"12-34 "`` is
    ``"1234"``.
    """
    return "".join(str(text if text is not None else "").split()).replace("-", "")[:32]
