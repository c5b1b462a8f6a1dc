"""The token of a trusted device: made, hashed, read from a request and put into a response.

Anybody who knows a number can use up its limits for sends and guesses. Devices on which the number
was proved have limits of their own, so that its holder can still log in. A browser keeps the token
in a cookie; a program without cookies sends it in a header.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

COOKIE = "voicepassword_device"
HEADER = "X-VoicePassword-Device"
#: How long a device is trusted, and its cookie kept, after a number was last proved on it.
LIFETIME = timedelta(days=365)


def make_token() -> str:
    """Return a new random token."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return what the database stores of a token: its SHA-256, 64 hexadecimal digits.

    A token is as random as a key, so the hash needs neither a key nor a salt. It does not depend on
    SECRET_KEY.
    """
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def read_token(request: HttpRequest | None) -> str:
    """Return the token that the request shows, of whatever origin; "" if it shows none."""
    if request is None:
        return ""
    return request.headers.get(HEADER, "") or request.COOKIES.get(COOKIE, "")


def is_from_cookie(request: HttpRequest) -> bool:
    """Whether a browser sent the token in the cookie, not a program in the header."""
    return not request.headers.get(HEADER)


def set_cookie(request: HttpRequest, response: HttpResponseBase, token: str) -> None:
    """Hand the token over to the browser. Without a token, set no cookie."""
    if not token:
        return
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIFETIME,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        secure=request.is_secure() or django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
