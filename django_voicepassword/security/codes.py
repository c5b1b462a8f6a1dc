"""Codes: how they are derived, stored as digests, and compared.

Codes are never stored. Brute force reverses a plain hash of four digits in milliseconds, so the
digests are keyed with SECRET_KEY. The codes that the app makes itself are derived from SECRET_KEY
and the id of the verification. SECRET_KEY_FALLBACKS are honoured when a guess is compared, and when
a code is sent again.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from uuid import UUID

from django.conf import settings as django_settings
from django.utils.crypto import constant_time_compare, salted_hmac

from django_voicepassword.security.tracebacks import Secret

_CODE_SALT = "django_voicepassword.codes.make"
_DIGEST_SALT = "django_voicepassword.codes.digest"


def make(verification_id: UUID, length: int = 4, secret: str | bytes | None = None) -> str:
    """Derive the code of a verification: ``length`` ASCII digits, the same on every call."""
    mac = salted_hmac(_CODE_SALT, str(verification_id), secret, algorithm="sha256").digest()
    return Secret(str(int.from_bytes(mac, "big") % 10**length).zfill(length))


def make_again(verification_id: UUID, phone: str, earlier: Collection[str]) -> str:
    """The code of a verification that was sent to ``phone`` before, also under an older SECRET_KEY.

    ``earlier``: the digests of the codes that were sent. If none of them can be read any more, or
    there is none, the code is derived from SECRET_KEY.
    """
    for secret in _secret_keys():
        code = make(verification_id, secret=secret)
        if digest(verification_id, phone, code, secret) in earlier:
            return code
    return make(verification_id)


def _secret_keys() -> list[str | bytes]:
    return [django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS]


def make_random(length: int = 4) -> str:
    """Make a random code that is derived from nothing, as the provider does."""
    return str(secrets.randbelow(10**length)).zfill(length)


def digest(verification_id: UUID, phone: str, code: str, secret: str | bytes | None = None) -> str:
    """HMAC-SHA256 of verification, phone and code, as 64 hexadecimal characters."""
    # A guess from JSON may have lone surrogates. It must be compared like any wrong guess instead
    # of raising an error.
    value = f"{verification_id}:{phone}:{code}".encode("utf-8", "surrogatepass")
    return salted_hmac(_DIGEST_SALT, value, secret=secret, algorithm="sha256").hexdigest()


def digest_again(verification_id: UUID, phone: str, code: str, earlier: Collection[str]) -> str:
    """The digest of a code, or the one of ``earlier`` that is of the same code.

    The same code has another digest after SECRET_KEY was changed. Two calls that carry one code
    must have one digest, because each digest counts as a code.
    """
    for secret in _secret_keys():
        again = digest(verification_id, phone, code, secret)
        if again in earlier:
            return again
    return digest(verification_id, phone, code)


def matches(verification_id: UUID, phone: str, guess: str, digests: Iterable[str]) -> bool:
    """Whether ``guess`` is the code behind any of ``digests``, in constant time.

    All digests are compared, even after one has matched. Empty ones are ignored.
    """
    expected = [digest_of_code for digest_of_code in digests if digest_of_code]
    is_match = False
    for secret in _secret_keys():
        digest_of_guess = digest(verification_id, phone, guess, secret)
        for digest_of_code in expected:
            is_match |= constant_time_compare(digest_of_code, digest_of_guess)
    return is_match


def clean_guess(text: object) -> str:
    """Remove the spaces and dashes that people and keyboards add: ``"12-34 "`` is ``"1234"``.

    At most 32 characters are kept.
    """
    return "".join(str(text if text is not None else "").split()).replace("-", "")[:32]


def is_code(guess: str) -> bool:
    """Whether a cleaned guess can be a code at all: digits, and nothing else."""
    return guess.isascii() and guess.isdigit()
