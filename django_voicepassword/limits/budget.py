"""Money: how much of DAILY_BUDGET a provider's day has used, and the expected price of a send."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import F

from django_voicepassword.conf import settings
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import seconds_until


def adjust_budget(at: datetime, difference: Decimal) -> None:
    """Add ``difference`` to the money used on the day of ``at``.

    Call it when the real price of a call that was counted at ``at`` differs from the reserved one.
    """
    if difference:
        LimitCounter.objects.filter(key=budget_key(at)).update(amount=F("amount") + difference)


def provider_day(moment: datetime) -> str:
    """Return the date of ``moment`` in PROVIDER_TIME_ZONE, as ISO text."""
    return moment.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)).date().isoformat()


def budget_key(moment: datetime) -> str:
    """Return the key of the counter for the money used on the provider's day of ``moment``."""
    return f"budget:{provider_day(moment)}"


def seconds_to_next_day(now: datetime) -> int:
    """Return the whole seconds until the provider's next day begins."""
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return seconds_until(datetime.combine(tomorrow, time.min, zone), now)
