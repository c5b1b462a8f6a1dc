"""The device that proved a number before: a cookie that gives it a small budget of its own for that
number.

A stranger who knows a number can use up what a day allows it, sends and guesses. Its holder, on a
device that proved it before, still gets in: what strangers use up is not what this device uses.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac

COOKIE = "voicepassword_device"
#: Seconds.
MAX_AGE = 365 * 24 * 3600
#: Numbers that one device remembers, the newest ones.
MOST_PHONES = 5

_SALT = "django_voicepassword.devices"


def proved(request: HttpRequest | None, phone: str) -> str:
    """The id of the device of ``request`` where it proved ``phone`` before; "" where it did not."""
    device, marks = _read(request)
    for secret in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        mark = _mark(device, phone, secret)
        if any(constant_time_compare(mark, one) for one in marks):
            return device
    return ""


def remember(request: HttpRequest, response: Any, phone: str) -> None:
    """``phone`` was proved on the device of ``request``: its cookie says so. The number itself is
    not in it.
    """
    device, marks = _read(request)
    device = device or secrets.token_hex(8)
    mark = _mark(device, phone, django_settings.SECRET_KEY)
    marks = [mark, *(one for one in marks if one != mark)][:MOST_PHONES]
    response.set_cookie(
        COOKIE,
        signing.dumps([device, marks], salt=_SALT),
        max_age=MAX_AGE,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        secure=request.is_secure() or django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest | None) -> tuple[str, list[str]]:
    cookie = request.COOKIES.get(COOKIE, "") if request is not None else ""
    try:
        device, marks = signing.loads(cookie, salt=_SALT, max_age=MAX_AGE)
    except (signing.BadSignature, ValueError, TypeError):
        return "", []
    return device, marks


def _mark(device: str, phone: str, secret: str | bytes) -> str:
    return salted_hmac(_SALT, f"{device}:{phone}", secret=secret, algorithm="sha256").hexdigest()[
        :16
    ]
