"""The figures that pages show: full days from stored figures, today's last hours from the calls.

The work for a page does not grow with the number of calls: a year is 366 rows for each channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum
from django.utils import timezone

from django_voicepassword.conf import settings
from django_voicepassword.models import DayFigures, HourFigures, PrefixFigures
from django_voicepassword.models.figures import FiguresRow
from django_voicepassword.models.moments import as_aware
from django_voicepassword.statistics.aggregation import ALL, CHANNELS, Counted, count
from django_voicepassword.statistics.figures import ADDITIVE, Figures, exact_money, read_seconds
from django_voicepassword.statistics.sync import provider_today

Row = TypeVar("Row", bound=FiguresRow)


@dataclass(frozen=True)
class Period:
    """The days from ``first`` to ``last``, both included, in PROVIDER_TIME_ZONE.

    ``channel`` is one channel or ALL.
    """

    first: date
    last: date
    channel: str = ALL

    @cached_property
    def today(self) -> date:
        return provider_today()

    def by_day(self) -> list[tuple[date, Figures]]:
        """Return the figures of every day. A day without calls, or in the future, has zeros."""
        days = {row.date: _to_figures(row) for row in self._stored(DayFigures)}
        if self._has_today:
            days[self.today] = self._live.days[self.channel]
        length = (self.last - self.first).days + 1
        return [
            (day, days.get(day, Figures()))
            for day in (self.first + timedelta(days=ahead) for ahead in range(length))
        ]

    def by_channel(self) -> dict[str, Figures]:
        """Return channel -> figures, also for ALL. The period's own channel does not matter."""
        totals = {channel: Figures() for channel in CHANNELS}
        for row in self._stored(DayFigures, *totals):
            totals[row.channel].include(_to_figures(row))
        if self._has_today:
            for channel, figures in self._live.days.items():
                totals[channel].include(figures)
        return totals

    def by_hour(self) -> dict[tuple[int, int], Figures]:
        """Return (weekday, hour) -> figures, without their seconds. Monday is 0."""
        sums = _sums(self._stored(HourFigures), "weekday", "hour")
        totals = {(row["weekday"], row["hour"]): _sum_to_figures(row) for row in sums}
        if self._has_today:
            for (channel, hour), figures in self._live.hours.items():
                if channel == self.channel:
                    totals.setdefault((self.today.weekday(), hour), Figures()).include(figures)
        return totals

    def by_prefix(self) -> dict[str, Figures]:
        """Return prefix -> figures, without their seconds."""
        sums = _sums(self._stored(PrefixFigures), "prefix")
        totals = {row["prefix"]: _sum_to_figures(row) for row in sums}
        if self._has_today:
            for (channel, prefix), figures in self._live.prefixes.items():
                if channel == self.channel:
                    totals.setdefault(prefix, Figures()).include(figures)
        return totals

    @property
    def _has_today(self) -> bool:
        return self.first <= self.today <= self.last

    @cached_property
    def _live(self) -> Counted:
        return today(timezone.now())

    def _stored(self, model: type[Row], *channels: str) -> QuerySet[Row]:
        """Return the rows of the full days. Today is left out: ``_live`` counts it."""
        rows = model._default_manager.filter(
            channel__in=channels or [self.channel], date__gte=self.first, date__lte=self.last
        )
        return rows.exclude(date=self.today)


def today(now: datetime) -> Counted:
    """Return the figures of the provider's current day until ``now`` (aware).

    The hours that had settled when the day was last counted are read, and the calls after them are
    counted. The figures by prefix are those of the last count, which is an hour old at most where
    beat runs. Where the day was not counted yet, all of it is counted.
    """
    moment = now.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE))
    day = moment.date()
    stored = DayFigures.objects.filter(channel=ALL, date=day).first()
    # Codes are typed and states arrive for some time after a call: the hour before the count had
    # not settled yet.
    settled = 0 if stored is None else _in_provider_zone(stored.counted_at).hour - 1
    if settled <= 0:
        return count(day, ends=moment)
    counted = count(day, moment.replace(hour=settled, minute=0, second=0, microsecond=0), moment)
    counted.prefixes.clear()
    rows = HourFigures.objects.defer("prefixes").filter(date=day, hour__lt=settled)
    for hour in rows.filter(channel__in=CHANNELS):
        figures = _to_figures(hour)
        counted.days[hour.channel].include(figures)
        counted.hours[hour.channel, hour.hour].include(figures)
    for prefix in PrefixFigures.objects.filter(channel__in=CHANNELS, date=day):
        counted.prefixes[prefix.channel, prefix.prefix].include(_to_figures(prefix))
    return counted


def until(now: datetime, days_ago: int, channel: str = ALL) -> Figures:
    """Return the figures of the day ``days_ago`` days ago (0: today), until the time of ``now``.

    The full hours are read, and the calls of the hour that has begun are counted.
    """
    if days_ago == 0:
        return today(now).days[channel]
    moment = now.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)) - timedelta(days=days_ago)
    day = moment.date()
    total = Figures()
    rows = HourFigures.objects.defer("prefixes").filter(channel=channel, date=day)
    for row in rows.filter(hour__lt=moment.hour):
        total.include(_to_figures(row))
    hour_begins = moment.replace(minute=0, second=0, microsecond=0)
    total.include(count(day, hour_begins, moment).days[channel])
    return total


def oldest_day() -> date | None:
    """Return the first day that has figures."""
    return (
        DayFigures.objects.filter(channel=ALL)
        .order_by("date")
        .values_list("date", flat=True)
        .first()
    )


def _in_provider_zone(moment: datetime) -> datetime:
    """Return a moment that a model gave in PROVIDER_TIME_ZONE."""
    return as_aware(moment).astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE))


def _to_figures(row: FiguresRow) -> Figures:
    return Figures(
        **{name: getattr(row, name) for name in ADDITIVE}, seconds=read_seconds([row.seconds])
    )


def _sums(rows: QuerySet[Row], *keys: str) -> Iterable[dict[str, Any]]:
    """Add up the columns of ADDITIVE by ``keys``; the sums are named ``sum_…``."""
    sums = {f"sum_{name}": Sum(name) for name in ADDITIVE}
    summed: QuerySet[Row, dict[str, Any]] = rows.values(*keys).annotate(**sums).order_by(*keys)
    return summed


def _sum_to_figures(row: dict[str, Any]) -> Figures:
    figures = Figures(**{name: row[f"sum_{name}"] for name in ADDITIVE})
    figures.cost = exact_money(figures.cost)
    return figures
