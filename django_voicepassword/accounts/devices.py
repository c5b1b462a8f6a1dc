"""The devices on which a person proved their numbers: remember, list, forget."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, router
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import limits, transactions
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.models.compiled import Insert, Select
from django_voicepassword.security import masking, trusted_devices
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
    device = ProvedDevice(request, user)

    def write() -> None:
        limits.lock(*device.lock_keys(phone))
        device.write(phone)

    try:
        transactions.atomic_with_retry(write, router.db_for_write(TrustedDevice))
    except (*transactions.DATABASE_ERRORS, IntegrityError) as error:
        logger.error("a trusted device was not remembered: %s", type(error).__name__)
        return ""
    return device.token


class ProvedDevice:
    """The device of a request on which a number is proved.

    ``verifications.check`` writes it in the transaction that approves the verification.
    ``remember`` does it in one of its own, once the user is known.
    """

    def __init__(self, request: HttpRequest, user: Any = None) -> None:
        self._shown = trusted_devices.read_token(request)
        self._renews = trusted_devices.is_from_cookie(request)
        self._old_hash = trusted_devices.hash_token(self._shown) if self._shown else ""
        self._user = user
        #: What the device keeps, once it is written.
        self.token = ""

    def lock_keys(self, phone: str) -> list[str]:
        """Return the keys of the locks of the number, and of the device that showed a token.

        Otherwise simultaneous proofs would each see room for one more device or number. All
        requests without a token have the same empty hash: they must not wait for each other.
        """
        keys = [limits.lock_of_number(phone)]
        return [*keys, f"devices:{self._old_hash}"] if self._old_hash else keys

    def write(self, phone: str) -> None:
        """Write the rows. Call it in a transaction that has locked ``lock_keys``."""
        now = timezone.now()
        known = self._read_known(phone)
        live = [row for row in known if row.token_hash == self._old_hash and row.is_live(now)]
        own = {row.phone: row for row in live}
        self.token = self._shown if own and not self._renews else trusted_devices.make_token()
        new_hash = trusted_devices.hash_token(self.token)
        surplus = _surplus(known, own.get(phone), phone, now)
        if surplus:
            TrustedDevice.objects.filter(pk__in=surplus).delete()
        if self._renews and own.keys() - {phone}:
            others = TrustedDevice.objects.filter(token_hash=self._old_hash)
            others.exclude(phone=phone).update(token_hash=new_hash)
        proved: dict[str, Any] = {"last_used_at": now, "token_hash": new_hash}
        if self._user is not None:
            proved["user"] = self._user
        if phone in own:
            TrustedDevice.objects.filter(pk=own[phone].pk).update(**proved)
        else:
            _INSERT(TrustedDevice(phone=phone, **proved))

    def _read_known(self, phone: str) -> list[TrustedDevice]:
        """Read the devices of the number, and the numbers of the device that showed a token."""
        if self._old_hash:
            return _KNOWN(phone=phone, token_hash=self._old_hash)
        return _OF_NUMBER(phone=phone)


# Read with a lock: a transaction that has read something before, at the level "repeatable read" of
# MariaDB, would not see the device that another one has committed since.
def _known(phone: Any, token_hash: Any) -> QuerySet[TrustedDevice]:
    rows = TrustedDevice.objects.select_for_update()
    return rows.filter(Q(phone=phone) | Q(token_hash=token_hash))


def _of_number(phone: Any) -> QuerySet[TrustedDevice]:
    return TrustedDevice.objects.select_for_update().filter(phone=phone)


_KNOWN = Select(TrustedDevice, _known, phone="phone", token_hash="token_hash")  # noqa: S106
_OF_NUMBER = Select(TrustedDevice, _of_number, phone="phone")
_INSERT = Insert(TrustedDevice)


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


@dataclass(frozen=True)
class Device:
    """A device on which a person proved some of their numbers."""

    id: int
    #: Masked.
    phones: list[str]
    created_at: datetime
    last_used_at: datetime
    #: Whether the request comes from it.
    is_current: bool


def of_user(user: Any, request: HttpRequest) -> list[Device]:
    """The devices that are trusted for the numbers of a user, the latest used first."""
    current = _hash_of(request)
    groups: dict[str, list[TrustedDevice]] = {}
    for row in _rows_of(user).order_by("-last_used_at", "-id"):
        groups.setdefault(row.token_hash, []).append(row)
    return [
        Device(
            id=min(row.pk for row in rows),
            phones=[masking.mask(row.phone) for row in rows],
            created_at=min(row.created_at for row in rows),
            last_used_at=rows[0].last_used_at,
            is_current=token_hash == current,
        )
        for token_hash, rows in groups.items()
    ]


def forget(user: Any, device_id: Any) -> None:
    """Forget a device for all numbers of a user. Raises TrustedDevice.DoesNotExist."""
    rows = _rows_of(user)
    hashes = {str(key): token_hash for key, token_hash in rows.values_list("pk", "token_hash")}
    if str(device_id) not in hashes:
        raise TrustedDevice.DoesNotExist("this user has no such device")
    same = rows.filter(token_hash=hashes[str(device_id)])
    transactions.retry(same.delete, router.db_for_write(TrustedDevice))


def forget_others(user: Any, request: HttpRequest) -> None:
    """Forget all devices of a user but the one that the request comes from."""
    others = _rows_of(user).exclude(token_hash=_hash_of(request))
    transactions.retry(others.delete, router.db_for_write(TrustedDevice))


def _rows_of(user: Any) -> QuerySet[TrustedDevice]:
    """The rows that are trusted for the user's numbers, also those that have no user yet."""
    phones = VerifiedPhone.objects.filter(user=user).values("phone")
    return TrustedDevice.trusted(timezone.now()).filter(phone__in=phones)


def _hash_of(request: HttpRequest) -> str:
    token = trusted_devices.read_token(request)
    return trusted_devices.hash_token(token) if token else ""
