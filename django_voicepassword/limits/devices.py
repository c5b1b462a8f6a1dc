"""Whether a request comes from a trusted device of a number."""

from __future__ import annotations

from django.db import router
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword.models import TrustedDevice
from django_voicepassword.security import trusted_devices


def is_trusted(request: HttpRequest | None, phone: str) -> bool:
    """Whether ``phone`` was proved on the device whose token the request shows.

    Without a token there is no query.
    """
    token = trusted_devices.read_token(request)
    if not token:
        return False
    trusted = TrustedDevice.trusted(timezone.now()).using(router.db_for_write(TrustedDevice))
    return trusted.filter(phone=phone, token_hash=trusted_devices.hash_token(token)).exists()
