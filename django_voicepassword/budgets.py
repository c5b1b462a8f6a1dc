"""Which budget pays for a send or a guess: the number's, or that of a device which proved the
number before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.http import HttpRequest

from django_voicepassword import limits, phones
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.models import Verification
from django_voicepassword.security import trusted_devices


@dataclass(frozen=True)
class Reserved:
    """What was set aside for one send: its price where DAILY_BUDGET counts, and the device that
    pays, if one does.
    """

    price: Decimal | None
    device: str = ""


def price_of_send(channel: str) -> Decimal | None:
    """What DAILY_BUDGET is to pay for one send; None without it.

    Asked before the transaction of the send: one that begins with a read cannot wait for a writer
    on SQLite.
    """
    return limits.expected_price(channel) if settings.DAILY_BUDGET is not None else None


def reserve_send(
    verification: Verification, price: Decimal | None, now: datetime, request: HttpRequest | None
) -> Reserved:
    """Count one send. Raises RateLimited or BudgetExhausted and counts nothing. See
    ``limits.reserve``.
    """
    try:
        limits.reserve(limits.send_subjects(verification.phone, verification.ip), now, price)
        return Reserved(price)
    except RateLimited as error:
        device = (
            trusted_devices.proved(request, verification.phone) if error.limit == "phone" else ""
        )
        if not device:
            raise
    limits.reserve(limits.send_subjects(verification.phone, verification.ip, device), now, price)
    return Reserved(price, device)


def hold_guess(
    verification: Verification, now: datetime, request: HttpRequest | None
) -> limits.Reservation:
    """A place for one guess, to be kept where it is wrong. Raises RateLimited. See
    ``limits.hold_place``.
    """
    phone = verification.phone
    if phones.fixed_code(phone) is not None:
        return limits.Reservation([], now)
    try:
        return limits.hold_place({"phone_guesses": phone}, now)
    except RateLimited:
        device = trusted_devices.proved(request, phone)
        if not device:
            raise
    return limits.hold_place({"device_guesses": f"{device}:{phone}"}, now)
