"""What the pages read: the figures of a period from rows counted before, and of today's last hours
from their calls.

The work of a page does not grow with the history: a year is 366 rows by day and channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Model, QuerySet, Sum
from django.utils import timezone

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, DayFigures, HourFigures, PrefixFigures
from django_voicepassword.statistics.aggregation import ALL, CHANNELS, Counted, count
from django_voicepassword.statistics.figures import ADDITIVE, Figures, read_seconds
from django_voicepassword.statistics.sync import provider_today


@dataclass(frozen=True)
class Period:
    """The provider's days from ``first`` to ``last``, both included, of one channel or (empty) of
    all.
    """

    first: date
    last: date
    channel: str = ALL

    @cached_property
    def today(self) -> date:
        return provider_today()

    def by_day(self) -> list[tuple[date, Figures]]:
        """Every day of the period, also those without a call; a day to come has none."""
        days = {row.date: _of(row) for row in self._kept(DayFigures)}
        if self._has_today:
            days[self.today] = self._live.days[self.channel]
        length = (self.last - self.first).days + 1
        return [
            (day, days.get(day, Figures()))
            for day in (self.first + timedelta(days=ahead) for ahead in range(length))
        ]

    def by_channel(self) -> dict[str, Figures]:
        """Channel -> figures; the empty one is all together. Whatever the period's own channel."""
        found = {channel: Figures() for channel in (ALL, *CallRequest.Channel.values)}
        for row in self._kept(DayFigures, *found):
            found[row.channel].include(_of(row))
        if self._has_today:
            for channel, figures in self._live.days.items():
                found[channel].include(figures)
        return found

    def by_hour(self) -> dict[tuple[int, int], Figures]:
        """(Weekday, hour) -> figures; Monday is 0. Without the seconds."""
        kept = _sums(self._kept(HourFigures), "weekday", "hour")
        found = {(row["weekday"], row["hour"]): _sum(row) for row in kept}
        if self._has_today:
            for (channel, hour), figures in self._live.hours.items():
                if channel == self.channel:
                    found.setdefault((self.today.weekday(), hour), Figures()).include(figures)
        return found

    def by_prefix(self) -> dict[str, Figures]:
        """Prefix -> figures. Without the seconds."""
        found = {row["prefix"]: _sum(row) for row in _sums(self._kept(PrefixFigures), "prefix")}
        if self._has_today:
            for (channel, prefix), figures in self._live.prefixes.items():
                if channel == self.channel:
                    found.setdefault(prefix, Figures()).include(figures)
        return found

    @property
    def _has_today(self) -> bool:
        return self.first <= self.today <= self.last

    @cached_property
    def _live(self) -> Counted:
        return today(timezone.now())

    def _kept(self, model: type[Model], *channels: str) -> QuerySet[Any]:
        """The rows of the full days; today is counted live."""
        kept: QuerySet[Any] = model._default_manager.filter(
            channel__in=channels or [self.channel], date__gte=self.first, date__lte=self.last
        )
        return kept.exclude(date=self.today)


def today(now: datetime) -> Counted:
    """The provider's running day up to ``now`` (aware).

    The hours that had settled when the day was last counted are read, what came after them is
    counted; by prefix what was counted last stands, an hour old at most where beat runs. A day that
    was not counted yet is counted as a whole.
    """
    moment = now.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE))
    day = moment.date()
    kept = DayFigures.objects.filter(channel=ALL, date=day).first()
    # Codes are typed, and states come, for some time after a call: the hour before the count had
    # not settled.
    settled = 0 if kept is None else _clock(kept.counted_at).hour - 1
    if settled <= 0:
        return count(day, ends=moment)
    found = count(day, moment.replace(hour=settled, minute=0, second=0, microsecond=0), moment)
    found.prefixes.clear()
    for hour in HourFigures.objects.filter(channel__in=CHANNELS, date=day, hour__lt=settled):
        figures = _of(hour)
        found.days[hour.channel].include(figures)
        found.hours[hour.channel, hour.hour].include(figures)
    for prefix in PrefixFigures.objects.filter(channel__in=CHANNELS, date=day):
        found.prefixes[prefix.channel, prefix.prefix].include(_of(prefix))
    return found


def until(now: datetime, days_ago: int, channel: str = ALL) -> Figures:
    """The figures of a provider's day from midnight to the same time as ``now``, ``days_ago`` days
    before (0: today).

    Full hours are read, the hour that has begun is counted.
    """
    if days_ago == 0:
        return today(now).days[channel]
    moment = now.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)) - timedelta(days=days_ago)
    day = moment.date()
    found = Figures()
    for row in HourFigures.objects.filter(channel=channel, date=day, hour__lt=moment.hour):
        found.include(_of(row))
    begun = moment.replace(minute=0, second=0, microsecond=0)
    found.include(count(day, begun, moment).days[channel])
    return found


def oldest_day() -> date | None:
    """The first day that has figures."""
    return (
        DayFigures.objects.filter(channel=ALL)
        .order_by("date")
        .values_list("date", flat=True)
        .first()
    )


def _clock(moment: datetime) -> datetime:
    """A stored moment on the provider's clock."""
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment)
    return aware.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE))


def _of(row: Any) -> Figures:
    return Figures(
        **{name: getattr(row, name) for name in ADDITIVE}, seconds=read_seconds([row.seconds])
    )


def _sums(rows: QuerySet[Any], *keys: str) -> Any:
    return (
        rows.values(*keys)
        .annotate(**{f"sum_{name}": Sum(name) for name in ADDITIVE})
        .order_by(*keys)
    )


def _sum(row: dict[str, Any]) -> Figures:
    figures = Figures()
    figures.add(**{name: row[f"sum_{name}"] for name in ADDITIVE if name != "cost"})
    # SQLite adds up in binary.
    figures.cost = Decimal(str(row["sum_cost"])).quantize(Decimal("0.0001"))
    return figures
