"""What the account holds, when that is little, and until when it will do."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.conf import settings
from django_voicepassword.limits.alarms import BALANCE_LOW, clear_alarm, raise_balance_alarm
from django_voicepassword.models import BalanceReading, DailyStatistics
from django_voicepassword.provider import factory

logger = logging.getLogger(__name__)
#: Days whose spending the forecast goes by.
FORECAST_DAYS = 7


@dataclass(frozen=True)
class Forecast:
    """``spend_per_day`` in the account's currency; ``ends_on``: the day on which the money ends,
    None where it does not.
    """

    balance: Decimal
    currency: str
    spend_per_day: Decimal
    ends_on: date | None


def read_balance() -> BalanceReading:
    """Ask the provider and keep the answer; ``balance_low`` is told once each time it falls to
    LOW_BALANCE.

    Raises ProviderError.
    """
    balance = factory.client().balance()
    reading = BalanceReading.objects.create(
        balance=balance.amount, currency=balance.currency, read_at=timezone.now()
    )
    threshold = settings.LOW_BALANCE
    if balance.amount > (threshold or 0):
        clear_alarm(BALANCE_LOW)
    elif threshold is not None:
        raise_balance_alarm(balance.amount, balance.currency)
    return reading


def forecast(today: date | None = None) -> Forecast | None:
    """By the newest reading and the spending of the last full days that were synced; None without a
    reading.
    """
    reading = BalanceReading.objects.order_by("-read_at").first()
    if reading is None:
        return None
    today = today or date.fromisoformat(limits.provider_day(timezone.now()))
    begins = today - timedelta(days=FORECAST_DAYS)
    spent = list(
        DailyStatistics.objects.filter(date__gte=begins, date__lt=today).values_list(
            "total_price", flat=True
        )
    )
    spend = sum(spent, Decimal(0)) / len(spent) if spent else Decimal(0)
    spend = spend.quantize(Decimal("0.01"))
    if spend <= 0:
        return Forecast(reading.balance, reading.currency, spend, None)
    days = min(int(max(reading.balance, Decimal(0)) / spend), 36500)
    return Forecast(reading.balance, reading.currency, spend, today + timedelta(days=days))
