"""The provider's days: dates and midnights in PROVIDER_TIME_ZONE."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django_voicepassword.conf import settings
from django_voicepassword.models.moments import as_aware


def day_of(moment: datetime) -> date:
    """Return the date of a moment, naive or aware, at the provider."""
    return as_aware(moment).astimezone(_zone()).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the start of a day and the start of the next day, both aware."""
    next_day = day + timedelta(days=1)
    return datetime.combine(day, time.min, _zone()), datetime.combine(next_day, time.min, _zone())


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.PROVIDER_TIME_ZONE)
