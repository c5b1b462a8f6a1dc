"""Converts the provider's dates, most of which name no zone, to aware datetimes and to SQL text."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.utils import timezone as django_timezone

from django_voicepassword.conf import settings
from django_voicepassword.provider.protocol import read_date

_USUAL = re.compile(r"\d\d\.\d\d\.\d{4} \d\d:[0-5]\d:[0-5]\d", re.ASCII)
#: A date in any other year is kept only in the payload. No call can have it, and not every
#: database can store it.
PLAUSIBLE_YEARS = range(2000, 2200)


class Moments:
    """Converts dates, which are in PROVIDER_TIME_ZONE or name a zone, and caches what it converted.

    The daily sync converts a million dates that differ in few hours: each hour is converted once,
    and minutes and seconds are appended as text.
    """

    def __init__(self, stored_in: tzinfo = timezone.utc) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        self._stored_in = stored_in
        # "11.09.2020 13" -> "2020-09-11 10", or None where no such text exists.
        self._hours: dict[str, str | None] = {}
        # Minutes and seconds that are known to be valid, for example ":34:39".
        self._minutes: set[str] = set()

    def text(self, written: datetime | str | None) -> str | None:
        """The date as the database stores it: ``YYYY-MM-DD hh:mm:ss``, with microseconds if any.

        It is in the zone ``stored_in``, or in the site's time zone where USE_TZ is off.
        """
        if isinstance(written, str):
            hour, minutes = self._hours.get(written[:13]), written[13:]
            if hour is None or minutes not in self._minutes:
                hour = self._remember(written)
            if hour is not None:
                return hour + minutes
        moment = self.aware(written)
        if moment is None:
            return None
        return stored(moment, self._stored_in).isoformat(" ")

    def aware(self, written: datetime | str | None) -> datetime | None:
        """The date as an aware datetime; None if it is absent, invalid or implausible."""
        moment = read_date(written) if isinstance(written, str) else written
        if moment is None or moment.year not in PLAUSIBLE_YEARS:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=self._zone)

    def field(self, written: datetime | None) -> datetime | None:
        """The date as a DateTimeField expects it: naive where USE_TZ is off."""
        moment = self.aware(written)
        return None if moment is None else for_field(moment)

    def _remember(self, written: str) -> str | None:
        """Remember the parts of a date; its converted hour, or None where ``text`` needs all."""
        if not _USUAL.fullmatch(written):
            return None
        hour = written[:13]
        self._minutes.add(written[13:])
        if hour not in self._hours:
            self._hours[hour] = self._convert_hour(hour)
        return self._hours[hour]

    def _convert_hour(self, hour: str) -> str | None:
        """The converted hour; None where it does not start on the hour in the other time zone."""
        moment = self.aware(f"{hour}:00:00")
        if moment is None:
            return None
        start = stored(moment, self._stored_in)
        return start.strftime("%Y-%m-%d %H") if start.minute == 0 else None


def stored(moment: datetime, zone: tzinfo = timezone.utc) -> datetime:
    """Convert an aware datetime to the naive one that a database with the zone ``zone`` stores."""
    if not django_settings.USE_TZ:
        zone = django_timezone.get_default_timezone()
    return moment.astimezone(zone).replace(tzinfo=None)


def for_field(moment: datetime) -> datetime:
    """Convert an aware datetime to what a DateTimeField expects.

    Where USE_TZ is off, that is a naive datetime in the site's time zone.
    """
    return moment if django_settings.USE_TZ else stored(moment)
