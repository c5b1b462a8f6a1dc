"""Dates of the provider, which names no zone, as moments; what repeats is reckoned once."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils import timezone as django_timezone

from django_voicepassword.conf import settings
from django_voicepassword.provider.protocol import read_date

_USUAL = re.compile(r"\d\d\.\d\d\.\d{4} \d\d:[0-5]\d:[0-5]\d", re.ASCII)
#: A date outside of them is kept in the payload alone: no call can have it, and not every database
#: holds it.
PLAUSIBLE_YEARS = range(2000, 2200)


class Moments:
    """``text`` for a database, ``aware`` for Python."""

    def __init__(self) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        self._hours: dict[str, str | None] = {}
        #: What was seen behind an hour: ``:34:39``.
        self._rests: set[str] = set()

    def text(self, written: datetime | str | None) -> str | None:
        """``YYYY-MM-DD hh:mm:ss`` as the database stores it: in UTC, or in the site's zone where
        USE_TZ is off.
        """
        if isinstance(written, str):
            hour, rest = written[:13], written[13:]
            if hour not in self._hours or rest not in self._rests:
                self._learn(written, hour, rest)
            prefix = self._hours.get(hour)
            if prefix is not None and rest in self._rests:
                return prefix + rest
        moment = self.aware(written)
        return None if moment is None else stored(moment).strftime("%Y-%m-%d %H:%M:%S")

    def aware(self, written: datetime | str | None) -> datetime | None:
        """The moment; None for what is absent, no date or out of all reason."""
        moment = read_date(written) if isinstance(written, str) else written
        if moment is None or moment.year not in PLAUSIBLE_YEARS:
            return None
        return moment.replace(tzinfo=self._zone)

    def field(self, written: datetime | None) -> datetime | None:
        """The moment as a model's field takes it: naive where USE_TZ is off."""
        moment = self.aware(written)
        return None if moment is None else for_field(moment)

    def _learn(self, written: str, hour: str, rest: str) -> None:
        if _USUAL.fullmatch(written):
            self._rests.add(rest)
            if hour not in self._hours:
                self._hours[hour] = self._hour(hour)

    def _hour(self, hour: str) -> str | None:
        """The beginning of every moment of an hour; None where it does not begin at a whole hour in
        the other zone.
        """
        moment = self.aware(f"{hour}:00:00")
        if moment is None:
            return None
        first = stored(moment)
        return first.strftime("%Y-%m-%d %H") if first.minute == 0 else None


def stored(moment: datetime) -> datetime:
    """An aware moment without its zone, as the database stores it."""
    if django_settings.USE_TZ:
        return moment.astimezone(timezone.utc).replace(tzinfo=None)
    return django_timezone.make_naive(moment)


def for_field(moment: datetime) -> datetime:
    """An aware moment as a model's field takes it: naive in the site's zone where USE_TZ is off."""
    return moment if django_settings.USE_TZ else stored(moment)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The first moment of a provider's day and of the next one, aware."""
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    return datetime.combine(day, time.min, zone), datetime.combine(
        day + timedelta(days=1), time.min, zone
    )
