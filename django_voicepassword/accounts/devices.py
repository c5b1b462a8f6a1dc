"""Remember the device on which a number was proved."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import limits, transactions
from django_voicepassword.models import TrustedDevice
from django_voicepassword.security import trusted_devices
from django_voicepassword.security.sensitive import sensitive

logger = logging.getLogger(__name__)


@sensitive
def remember(request: HttpRequest, phone: str, user: Any = None) -> str:
    """Make the request's device a trusted one of ``phone``; return the token that it keeps.

    Call it once the number is proved. ``user`` has just logged in, or confirmed the number. A
    browser gets a new token for all its numbers: a copy of the old cookie is worth nothing, also
    where somebody planted a cookie of their own. A token that is not known is never taken over.

    Return "" where the database cannot be used, or where the user was deleted meanwhile. The right
    code is spent by then, so the person must not be turned away.
    """
    shown = trusted_devices.read_token(request)
    renews = trusted_devices.is_from_cookie(request)
    database = router.db_for_write(TrustedDevice)
    try:
        return transactions.atomic_with_retry(
            lambda: _remember(shown, phone, user, renews, database), database
        )
    except (*transactions.DATABASE_ERRORS, IntegrityError) as error:
        logger.error("a trusted device was not remembered: %s", type(error).__name__)
        return ""


def _remember(shown: str, phone: str, user: Any, renews: bool, database: str) -> str:
    """Write the rows under a lock of the number and of the device; return the token."""
    now = timezone.now()
    old_hash = trusted_devices.hash_token(shown) if shown else ""
    _lock(phone, old_hash)
    rows = TrustedDevice.objects.using(database)
    known = list(rows.filter(Q(phone=phone) | Q(token_hash=old_hash)))
    own = {row.phone: row for row in known if row.token_hash == old_hash and row.is_live(now)}
    token = shown if own and not renews else trusted_devices.make_token()
    new_hash = trusted_devices.hash_token(token)
    surplus = _surplus(known, own.get(phone), phone, now)
    if surplus:
        rows.filter(pk__in=surplus).delete()
    if renews and own.keys() - {phone}:
        rows.filter(token_hash=old_hash).exclude(phone=phone).update(token_hash=new_hash)
    proved: dict[str, Any] = {"last_used_at": now, "token_hash": new_hash}
    if user is not None:
        proved["user"] = user
    if phone in own:
        rows.filter(pk=own[phone].pk).update(**proved)
    else:
        rows.create(phone=phone, **proved)
    return token


def _lock(phone: str, token_hash: str) -> None:
    """Lock a number, and the device that showed a token.

    Otherwise simultaneous proofs would each see room for one more device or number. All requests
    without a token have the same empty hash: they must not wait for each other.
    """
    keys = [f"devices:{phone}"]
    if token_hash:
        keys.append(f"devices:{token_hash}")
    limits.lock(*keys)


def _surplus(
    known: Iterable[TrustedDevice], own: TrustedDevice | None, phone: str, now: datetime
) -> list[int]:
    """The rows that make room for one device of ``phone`` and for one number of the device.

    Those that were unused for the longest time go, and all that have expired. ``own`` is the row of
    both, and stays.
    """
    newest_first = sorted(known, key=lambda row: row.last_used_at, reverse=True)
    live = [row for row in newest_first if row.is_live(now) and row != own]
    devices = [row for row in live if row.phone == phone][TrustedDevice.MOST_DEVICES - 1 :]
    phones = [row for row in live if row.phone != phone][TrustedDevice.MOST_PHONES - 1 :]
    expired = [row for row in newest_first if not row.is_live(now)]
    return [row.pk for row in (*devices, *phones, *expired)]
