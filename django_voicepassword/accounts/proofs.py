"""Who holds a proved number now, and when it was proved. The rows are ``VerifiedPhone``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import router
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import limits, signals, transactions
from django_voicepassword.accounts import users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import DormantPhone, Refused
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.models.compiled import Update
from django_voicepassword.models.moments import as_aware


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

    Raises Refused where the number was given to another user in the meantime, and DormantPhone
    where nobody has proved it for DORMANT_AFTER_DAYS: it may have another holder by now.
    """
    using = router.db_for_write(VerifiedPhone)
    if not transactions.retry(lambda: _renew_awake(user, phone), using):
        transactions.atomic_with_retry(lambda: _renew(user, phone), using)


def _renew(user: Any, phone: str) -> None:
    own = VerifiedPhone.objects.filter(phone=phone, user=user)
    # Another login may write the first proof between the two statements: then it is found awake.
    for _ in range(2):
        if _renew_awake(user, phone):
            return
        if not own.exists():
            break
    else:
        raise DormantPhone(user.has_usable_password())
    if not (settings.USER_PHONE_FIELD and settings.USER_PHONE_TRUSTED):
        raise Refused("the number was given to another user in the meantime")
    limits.lock(f"user:{phone}")
    users.note_proof(user, phone)


def _renew_awake(user: Any, phone: str) -> int:
    """Renew the proof, unless it is dormant; return how many rows that were.

    One statement: a number that two logins prove at once must not be found awake by the second.
    """
    now = timezone.now()
    since = _dormant_since(now)
    if since is None:
        return _RENEW(phone=phone, user=user.pk, now=now)
    return _RENEW_AWAKE(phone=phone, user=user.pk, now=now, since=since)


def announce_dormant(phone: str, request: HttpRequest | None) -> None:
    """Send ``phone_dormant``: a right code was refused, because the number is dormant."""
    signals.phone_dormant.send_robust(
        sender=VerifiedPhone, user=users.find(phone), phone=phone, request=request
    )


def is_dormant(row: VerifiedPhone) -> bool:
    """Has nobody proved the number for DORMANT_AFTER_DAYS?"""
    days = settings.DORMANT_AFTER_DAYS
    age = as_aware(timezone.now()) - as_aware(row.verified_at)
    return days is not None and age >= timedelta(days=days)


def awake(rows: QuerySet[VerifiedPhone], now: datetime) -> QuerySet[VerifiedPhone]:
    """Return those of ``rows`` that are not dormant: a right code for their numbers logs in."""
    since = _dormant_since(now)
    return rows if since is None else rows.filter(verified_at__gt=since)


def _dormant_since(now: datetime) -> datetime | None:
    """Return the moment before which a proof is dormant; None without DORMANT_AFTER_DAYS."""
    days = settings.DORMANT_AFTER_DAYS
    return None if days is None else now - timedelta(days=days)


def _renewed(phone: Any, user: Any, now: Any) -> tuple[QuerySet[VerifiedPhone], dict[str, Any]]:
    return VerifiedPhone.objects.filter(phone=phone, user=user), {"verified_at": now}


def _renewed_awake(
    phone: Any, user: Any, now: Any, since: Any
) -> tuple[QuerySet[VerifiedPhone], dict[str, Any]]:
    own, changes = _renewed(phone, user, now)
    return own.filter(verified_at__gt=since), changes


_RENEW = Update(VerifiedPhone, _renewed, phone="phone", user="user", now="verified_at")
_RENEW_AWAKE = Update(
    VerifiedPhone,
    _renewed_awake,
    phone="phone",
    user="user",
    now="verified_at",
    since="verified_at",
)
