"""The balance of the account: read it, warn when it is low, and forecast when it is used up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.utils import timezone

from django_voicepassword import transactions
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import ProviderError
from django_voicepassword.limits import circuit
from django_voicepassword.limits.alarms import (
    ACCOUNT_REFUSED,
    BALANCE_LOW,
    clear_alarm,
    raise_balance_alarm,
)
from django_voicepassword.models import BalanceReading, DailyStatistics
from django_voicepassword.provider import factory
from django_voicepassword.statistics.sync import provider_today

logger = logging.getLogger(__name__)
#: The forecast goes by the spending of this many days before today.
FORECAST_DAYS = 7


@dataclass(frozen=True)
class Forecast:
    """How long the balance lasts.

    ``spend_per_day`` is in the account's currency. ``ends_on`` is the day on which the money is
    used up, or None where nothing is spent.
    """

    balance: Decimal
    currency: str
    spend_per_day: Decimal
    ends_on: date | None


def account_is_refused() -> bool:
    """Return whether the provider refuses the account, so that a send need not be tried.

    Meanwhile the balance is read at most once a minute, by one of the processes that call this: so
    a site without beat notices too that the account is accepted again.
    """
    if circuit.refusal() is None:
        return False
    if circuit.claim_reading(timezone.now()):
        try:
            read_balance()
        except (ProviderError, ImproperlyConfigured) as error:
            logger.warning("the balance cannot be read: %s", error)
    return circuit.refusal() is not None


@circuit.opens()
def read_balance() -> BalanceReading | None:
    """Ask the provider for the balance and store the answer. Raises ProviderError.

    Return None where TRANSPORT only pretends to call: then there is no account. A good answer
    closes the circuit of a refused account (``limits.circuit``). The signal ``balance_low`` is sent
    once each time the balance falls to LOW_BALANCE.
    """
    if factory.is_pretended():
        # The account of another TRANSPORT may have been refused before.
        clear_alarm(ACCOUNT_REFUSED)
        return None
    balance = factory.client().balance()
    reading = BalanceReading(
        balance=balance.amount, currency=balance.currency, read_at=timezone.now()
    )
    transactions.retry(reading.save, router.db_for_write(BalanceReading))
    circuit.note_balance(balance.amount)
    threshold = settings.LOW_BALANCE
    if balance.amount > (threshold or 0):
        clear_alarm(BALANCE_LOW)
    elif threshold is not None:
        raise_balance_alarm(balance.amount, balance.currency)
    return reading


def forecast(today: date | None = None) -> Forecast | None:
    """Return ``predict`` for the newest reading; None where there is no reading."""
    reading = BalanceReading.objects.order_by("-read_at").first()
    return None if reading is None else predict(reading.balance, reading.currency, today)


def predict(balance: Decimal, currency: str, today: date | None = None) -> Forecast:
    """Return how long a balance lasts at the average spending of the last full days.

    Only days that were synced count.
    """
    today = today or provider_today()
    begins = today - timedelta(days=FORECAST_DAYS)
    totals = list(
        DailyStatistics.objects.filter(date__gte=begins, date__lt=today).values_list(
            "total_price", flat=True
        )
    )
    spend = sum(totals, Decimal(0)) / len(totals) if totals else Decimal(0)
    spend = spend.quantize(Decimal("0.01"))
    if spend <= 0:
        return Forecast(balance, currency, spend, None)
    days = min(int(max(balance, Decimal(0)) / spend), 36500)
    return Forecast(balance, currency, spend, today + timedelta(days=days))
