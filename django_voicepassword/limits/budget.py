"""Money: DAILY_BUDGET of a provider's day, and the price that a send is expected to have."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from math import ceil
from zoneinfo import ZoneInfo

from django.db.models import F

from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import upsert
from django_voicepassword.models import LimitCounter

#: What a send is taken to cost until the provider has told a price (samples of its document), in
#: its currency.
FIRST_PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}


def adjust_budget(at: datetime, difference: Decimal) -> None:
    """The price of a call that was counted at ``at`` proved to be other than reserved, by
    ``difference``.
    """
    if difference:
        LimitCounter.objects.filter(key=budget_key(at)).update(amount=F("amount") + difference)


def expected_price(channel: str) -> Decimal:
    """What the next send on ``channel`` will cost: the last known price."""
    known = (
        LimitCounter.objects.filter(key=f"price:{channel}").values_list("amount", flat=True).first()
    )
    return FIRST_PRICES[channel] if known is None else known


def note_price(channel: str, price: Decimal, now: datetime) -> None:
    """Remember what a send on ``channel`` cost."""
    upsert([(f"price:{channel}", "{}", price, now)], update=("amount", "updated_at"))


def provider_day(moment: datetime) -> str:
    """The provider's date of a moment, as ISO text."""
    return moment.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)).date().isoformat()


def budget_key(moment: datetime) -> str:
    return f"budget:{provider_day(moment)}"


def seconds_to_next_day(now: datetime) -> int:
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return ceil((datetime.combine(tomorrow, time.min, zone) - now).total_seconds())
