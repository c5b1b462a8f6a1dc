"""The price that a send is expected to have, which is what DAILY_BUDGET reserves for it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import upsert
from django_voicepassword.models import LimitCounter

#: The expected price of a send, in the provider's currency, until a reply has contained one. These
#: are the prices in the examples of the provider's document.
FIRST_PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}


def expected_price(channel: str) -> Decimal:
    """Return the expected price of the next send on ``channel``: the last known one."""
    last_price = (
        LimitCounter.objects.filter(key=f"price:{channel}").values_list("amount", flat=True).first()
    )
    return FIRST_PRICES[channel] if last_price is None else last_price


def note_price(channel: str, price: Decimal, now: datetime) -> None:
    """Store ``price`` as the last known price of a send on ``channel``."""
    upsert([(f"price:{channel}", "{}", price, now)], update=("amount", "updated_at"))


def price_of_send(channel: str) -> Decimal | None:
    """Return the price to reserve in DAILY_BUDGET for one send; None without DAILY_BUDGET.

    Call it before the transaction of the send. On SQLite a transaction that begins with a read
    cannot wait for a writer; it fails.
    """
    return expected_price(channel) if settings.DAILY_BUDGET is not None else None
