"""Who holds a proved number now, and when it was proved. The rows are ``VerifiedPhone``."""

from __future__ import annotations

from typing import Any

from django.db import router
from django.utils import timezone

from django_voicepassword import limits, transactions
from django_voicepassword.accounts import users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Refused
from django_voicepassword.models import VerifiedPhone


def has_proved_number(user: Any) -> bool:
    """Does the user hold a number now that they proved, or that the project proved for them?"""
    proofs = VerifiedPhone.objects.filter(user=user)
    if settings.USER_PHONE_FIELD is None:
        return proofs.exists()
    own_phones = users.phones_of(user)
    if not own_phones or settings.USER_PHONE_TRUSTED:
        return bool(own_phones)
    return proofs.filter(phone__in=own_phones).exists()


def renew(user: Any, phone: str) -> None:
    """Note that the user whom ``users.find`` found has proved the number again.

    Raises Refused where the number was given to another user in the meantime.
    """
    transactions.atomic_with_retry(lambda: _renew(user, phone), router.db_for_write(VerifiedPhone))


def _renew(user: Any, phone: str) -> None:
    own = VerifiedPhone.objects.filter(phone=phone, user=user)
    if own.update(verified_at=timezone.now()):
        return
    if not (settings.USER_PHONE_FIELD and settings.USER_PHONE_TRUSTED):
        raise Refused("the number was given to another user in the meantime")
    limits.lock(f"user:{phone}")
    users.note_proof(user, phone)
