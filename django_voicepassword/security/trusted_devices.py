"""The cookie of a device on which a number was proved before.

Anybody who knows a number can use up its daily limits for sends and guesses. For that number, such
a device has a small limit of its own, so that its owner can still log in.
"""

from __future__ import annotations

import secrets

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

COOKIE = "voicepassword_device"
#: Lifetime of the cookie in seconds.
MAX_AGE = 365 * 24 * 3600
#: How many numbers a cookie remembers. The newest are kept.
MOST_PHONES = 5

_SALT = "django_voicepassword.devices"


def proved(request: HttpRequest | None, phone: str) -> str:
    """The id of the request's device if ``phone`` was proved on it, otherwise ""."""
    device, digests = _read(request)
    for secret in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        digest = _digest(device, phone, secret)
        if any(constant_time_compare(digest, remembered) for remembered in digests):
            return device
    return ""


def remember(request: HttpRequest, response: HttpResponseBase, phone: str) -> None:
    """Set the cookie that says that ``phone`` was proved on the request's device.

    The cookie has a digest of the number, not the number itself.
    """
    device, digests = _read(request)
    device = device or secrets.token_hex(8)
    digest = _digest(device, phone, django_settings.SECRET_KEY)
    digests = [digest, *(other for other in digests if other != digest)][:MOST_PHONES]
    response.set_cookie(
        COOKIE,
        signing.dumps([device, digests], salt=_SALT),
        max_age=MAX_AGE,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        secure=request.is_secure() or django_settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest | None) -> tuple[str, list[str]]:
    """The device's id and the digests of its numbers; empty without a cookie of ours."""
    cookie = request.COOKIES.get(COOKIE, "") if request is not None else ""
    try:
        device, digests = signing.loads(cookie, salt=_SALT, max_age=MAX_AGE)
    except (signing.BadSignature, ValueError, TypeError):
        return "", []
    return device, digests


def _digest(device: str, phone: str, secret: str | bytes) -> str:
    mac = salted_hmac(_SALT, f"{device}:{phone}", secret=secret, algorithm="sha256")
    return mac.hexdigest()[:16]
