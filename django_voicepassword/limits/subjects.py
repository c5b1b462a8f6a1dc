"""Which limits a send or a guess counts against: those of the number, or of a trusted device.

A trusted device is one that proved the number before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.http import HttpRequest

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.limits import client_ip
from django_voicepassword.limits.budget import expected_price
from django_voicepassword.limits.reservations import Reservation, reserve
from django_voicepassword.models import Verification
from django_voicepassword.security import trusted_devices


@dataclass(frozen=True)
class Reserved:
    """What was reserved for one send.

    ``price`` is None without DAILY_BUDGET. ``device`` is the trusted device whose limits count the
    send; it is empty where those of the number do.
    """

    price: Decimal | None
    device: str = ""


def send_subjects(phone: str, ip: str | None, device: str = "") -> dict[str, str]:
    """Return the limits that count one send to ``phone`` for the client ``ip``: name -> subject.

    With ``device``, the limits of that trusted device take the place of the number's.
    """
    subjects = {"prefix": phone[:-4], "site": ""}
    subjects |= {"device_sends": f"{device}:{phone}"} if device else {"phone": phone}
    if ip:
        subjects["ip"] = client_ip.subject(ip)
    return subjects


def price_of_send(channel: str) -> Decimal | None:
    """Return the price to reserve in DAILY_BUDGET for one send; None without DAILY_BUDGET.

    Call it before the transaction of the send. On SQLite a transaction that begins with a read
    cannot wait for a writer; it fails.
    """
    return expected_price(channel) if settings.DAILY_BUDGET is not None else None


def reserve_send(
    verification: Verification, price: Decimal | None, now: datetime, request: HttpRequest | None
) -> Reserved:
    """Count one send. Where it raises RateLimited or BudgetExhausted, nothing is counted.

    See ``reservations.reserve``.
    """
    try:
        reserve(send_subjects(verification.phone, verification.ip), now, price).commit()
        return Reserved(price)
    except RateLimited as error:
        device = (
            trusted_devices.proved(request, verification.phone) if error.limit == "phone" else ""
        )
        if not device:
            raise
    reserve(send_subjects(verification.phone, verification.ip, device), now, price).commit()
    return Reserved(price, device)


def reserve_guess(
    verification: Verification, now: datetime, request: HttpRequest | None
) -> Reservation:
    """Reserve one guess; the caller commits the reservation if the guess is wrong.

    Raises RateLimited. See ``reservations.reserve``.
    """
    phone = verification.phone
    if phones.fixed_code(phone) is not None:
        return Reservation([], now)
    try:
        return reserve({"phone_guesses": phone}, now)
    except RateLimited:
        device = trusted_devices.proved(request, phone)
        if not device:
            raise
    return reserve({"device_guesses": f"{device}:{phone}"}, now)
