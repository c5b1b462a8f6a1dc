"""Money: how much of DAILY_BUDGET a provider's day has used."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import F

from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import lock_rows, write_rows
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import as_aware, seconds_until


def adjust_budget(at: datetime, difference: Decimal) -> None:
    """Add ``difference`` to the money used on the day of ``at``.

    Call it when the real price of a call that was counted at ``at`` differs from the reserved one.
    """
    if difference:
        LimitCounter.objects.filter(key=budget_key(at)).update(amount=F("amount") + difference)


def raise_reservation(at: datetime, reserved: Decimal, price: Decimal, now: datetime) -> bool:
    """Reserve ``price`` in place of the ``reserved`` money of a call that was counted at ``at``.

    Return False, and change nothing, where DAILY_BUDGET does not have so much. That can be so even
    where ``price`` is the reserved one: other calls have cost more than was reserved for them. Call
    it in a transaction.
    """
    key = budget_key(at)
    spent = lock_rows([key], now)[key][1] - reserved + price
    if spent > settings.DAILY_BUDGET:
        return False
    if price != reserved:
        write_rows([(key, {}, spent)], now)
    return True


def provider_day(moment: datetime) -> str:
    """Return the date of ``moment`` in PROVIDER_TIME_ZONE, as ISO text."""
    return as_aware(moment).astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)).date().isoformat()


def budget_key(moment: datetime) -> str:
    """Return the key of the counter for the money used on the provider's day of ``moment``."""
    return f"budget:{provider_day(moment)}"


def seconds_to_next_day(now: datetime) -> int:
    """Return the whole seconds until the provider's next day begins."""
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    tomorrow = as_aware(now).astimezone(zone).date() + timedelta(days=1)
    return seconds_until(datetime.combine(tomorrow, time.min, zone), now)
