"""Store the figures of a day for the pages, and fill in the days that have none.

An hour is counted as a whole and a day is the sum of its hours, so errors cannot add up, and a run
can be repeated at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from django.db import router
from django.db.models import Min
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.models import CallRequest, DayFigures, HourFigures, PrefixFigures
from django_voicepassword.models.moments import as_aware
from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.statistics.aggregation import (
    ALL,
    CHANNELS,
    Counted,
    Group,
    count_groups,
    hour_begins,
)
from django_voicepassword.statistics.figures import Figures
from django_voicepassword.statistics.progress import HOURS, changed_hours, progress_of
from django_voicepassword.statistics.purged_days import deleted_until, may_be_purged
from django_voicepassword.statistics.sync import provider_today
from django_voicepassword.transactions import atomic_with_retry, retry

#: Days that one run of ``fill_figures`` counts at most.
FILL_AT_MOST = 31
_BATCH = 500
#: How long a day keeps the parts of its figures, so that it need not be counted as a whole.
_PARTS_KEPT = timedelta(days=3)


def refresh_figures(day: date) -> bool:
    """Count a day in PROVIDER_TIME_ZONE and replace its stored figures.

    Return False, and keep the stored figures, where calls of that day may have been purged.
    """
    return _refresh(day, is_whole=True)


def update_figures(day: date) -> bool:
    """Do what ``refresh_figures`` does, but count only the hours in which something changed.

    The stored figures are the same afterwards.
    """
    return _refresh(day, is_whole=False)


def _refresh(day: date, is_whole: bool) -> bool:
    if may_be_purged(day, deleted_until()):
        return False
    began = timezone.now()
    last = DayFigures.objects.filter(channel=ALL, date=day).first()
    hours = set(HOURS) if is_whole else changed_hours(day, last, as_aware(began))
    is_recent = day > provider_today() - _PARTS_KEPT
    progress = progress_of(day, last, as_aware(began)) if is_recent else {}
    if not hours:
        _confirm(day, began, progress)
        return True
    counted = Counted(_unchanged_groups(day, hours))
    for begins, ends in _stretches(day, hours):
        counted.groups.update(count_groups(day, begins, ends))
    _store(day, began, counted.add_up(), progress)
    _forget_parts(day - _PARTS_KEPT)
    return True


def _confirm(day: date, began: datetime, progress: dict[str, Any]) -> None:
    """Note that the stored figures are those of a count that began now."""

    def write() -> None:
        limits.lock(_lock_of(day))
        days = DayFigures.objects.filter(date=day, counted_at__lt=began)
        days.filter(channel=ALL).update(progress=progress)
        days.filter(channel__in=CHANNELS).update(counted_at=began)

    atomic_with_retry(write, router.db_for_write(DayFigures))


def _lock_of(day: date) -> str:
    return f"figures:{day.isoformat()}"


def _stretches(day: date, hours: set[int]) -> Iterator[tuple[datetime, datetime]]:
    """Return when each stretch of successive hours begins and ends."""
    for hour in sorted(hours):
        if hour - 1 not in hours:
            end = next(other for other in count(hour + 1) if other not in hours)
            yield hour_begins(day, hour), hour_begins(day, end)


def _unchanged_groups(day: date, hours: set[int]) -> dict[Group, Figures]:
    """Return the figures of the other hours, as the last count stored them."""
    rows = HourFigures.objects.filter(channel__in=CHANNELS, date=day).exclude(hour__in=hours)
    return {
        Group(row.channel, row.hour, prefix): Figures.from_json(figures)
        for row in (rows if len(hours) < len(HOURS) else [])
        for prefix, figures in row.prefixes.items()
    }


def _store(day: date, began: datetime, counted: Counted, progress: dict[str, Any]) -> None:
    """Replace the stored figures of a day, unless a later count has done so."""
    days = [
        DayFigures(
            date=day,
            channel=channel,
            counted_at=began,
            progress={} if channel else progress,
            **asdict(counted.days[channel]),
        )
        for channel in sorted({ALL, *counted.days})
    ]
    prefixes_of: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
    for group, figures in counted.groups.items() if progress else ():
        prefixes_of[group.channel, group.hour][group.prefix] = figures.to_json()
    hours = [
        HourFigures(
            date=day,
            channel=channel,
            hour=hour,
            weekday=day.weekday(),
            prefixes=prefixes_of[channel, hour],
            **asdict(figures),
        )
        for (channel, hour), figures in counted.hours.items()
    ]
    prefixes = [
        PrefixFigures(date=day, channel=channel, prefix=prefix, **asdict(figures))
        for (channel, prefix), figures in counted.prefixes.items()
    ]

    def replace() -> None:
        # Lock after counting, not before: on SQLite a web request would wait for the whole count.
        limits.lock(_lock_of(day))
        stored = DayFigures.objects.filter(channel=ALL, date=day).first()
        if stored is not None and stored.counted_at > began:
            return
        for model in (DayFigures, HourFigures, PrefixFigures):
            model._default_manager.filter(channel__in=CHANNELS, date=day).delete()
        DayFigures.objects.bulk_create(days, batch_size=_BATCH)
        HourFigures.objects.bulk_create(hours, batch_size=_BATCH)
        PrefixFigures.objects.bulk_create(prefixes, batch_size=_BATCH)

    atomic_with_retry(replace, router.db_for_write(DayFigures))


def _forget_parts(day: date) -> None:
    """Forget the parts of the figures of a day that is not expected to change any more."""
    days = DayFigures.objects.filter(channel=ALL, date=day)
    stored = days.first()
    if stored is not None and stored.progress:
        # The progress first: without it, the day is counted as a whole.
        retry(lambda: days.update(progress={}), router.db_for_write(DayFigures))
        hours = HourFigures.objects.filter(channel__in=CHANNELS, date=day)
        retry(lambda: hours.update(prefixes={}), router.db_for_write(HourFigures))


def fill_figures(today: date | None = None) -> list[date]:
    """Count the days before ``today`` that were not counted to their end; return the newest first.

    One run counts at most FILL_AT_MOST days.
    """
    today = today or provider_today()
    oldest_call = CallRequest.objects.aggregate(oldest=Min("created_at"))["oldest"]
    if oldest_call is None:
        return []
    begins = provider_today(as_aware(oldest_call))
    stored = DayFigures.objects.filter(channel=ALL, date__gte=begins, date__lt=today)
    counted_days = {
        day
        for day, counted_at in stored.values_list("date", "counted_at")
        if as_aware(counted_at) >= day_bounds(day)[1]
    }
    days = (today - timedelta(days=ago) for ago in range(1, (today - begins).days + 1))
    until = deleted_until()
    due = [day for day in days if not (day in counted_days or may_be_purged(day, until))]
    due = due[:FILL_AT_MOST]
    for day in due:
        refresh_figures(day)
    return due
