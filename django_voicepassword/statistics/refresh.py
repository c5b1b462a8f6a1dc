"""Store the figures of a day for the pages, and fill in the days that have none.

A day is counted as a whole and replaces its stored figures, so errors cannot add up, and a run can
be repeated at any time.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta

from django.db import router
from django.db.models import Min
from django.utils import timezone

from django_voicepassword import limits
from django_voicepassword.models import CallRequest, DayFigures, HourFigures, PrefixFigures
from django_voicepassword.models.moments import as_aware
from django_voicepassword.statistics.aggregation import ALL, CHANNELS, count
from django_voicepassword.statistics.purged_days import deleted_until, may_be_purged
from django_voicepassword.statistics.sync import provider_today
from django_voicepassword.transactions import atomic_with_retry

#: Days without figures that one run of ``fill_figures`` counts.
FILL_AT_MOST = 31
_BATCH = 500


def refresh_figures(day: date) -> bool:
    """Count a day in PROVIDER_TIME_ZONE and replace its stored figures.

    Return False, and keep the stored figures, where calls of that day may have been purged.
    """
    if may_be_purged(day, deleted_until()):
        return False
    began = timezone.now()
    counted = count(day)
    weekday = day.weekday()
    days = [
        DayFigures(date=day, channel=channel, counted_at=began, **asdict(counted.days[channel]))
        for channel in sorted({ALL, *counted.days})
    ]
    hours = [
        HourFigures(date=day, channel=channel, hour=hour, weekday=weekday, **asdict(figures))
        for (channel, hour), figures in counted.hours.items()
    ]
    prefixes = [
        PrefixFigures(date=day, channel=channel, prefix=prefix, **asdict(figures))
        for (channel, prefix), figures in counted.prefixes.items()
    ]

    def replace() -> None:
        # Lock after counting, not before: on SQLite a web request would wait for the whole count.
        limits.lock(f"figures:{day.isoformat()}")
        stored = DayFigures.objects.filter(channel=ALL, date=day).first()
        if stored is not None and stored.counted_at > began:
            return
        for model in (DayFigures, HourFigures, PrefixFigures):
            model._default_manager.filter(channel__in=CHANNELS, date=day).delete()
        DayFigures.objects.bulk_create(days, batch_size=_BATCH)
        HourFigures.objects.bulk_create(hours, batch_size=_BATCH)
        PrefixFigures.objects.bulk_create(prefixes, batch_size=_BATCH)

    atomic_with_retry(replace, router.db_for_write(DayFigures))
    return True


def fill_figures(today: date | None = None) -> list[date]:
    """Count the days before ``today`` that have no figures, and return them, the newest first.

    One run counts at most FILL_AT_MOST days.
    """
    today = today or provider_today()
    oldest_call = CallRequest.objects.aggregate(oldest=Min("created_at"))["oldest"]
    if oldest_call is None:
        return []
    begins = provider_today(as_aware(oldest_call))
    counted_days = set(
        DayFigures.objects.filter(channel=ALL, date__gte=begins, date__lt=today).values_list(
            "date", flat=True
        )
    )
    days = (today - timedelta(days=ago) for ago in range(1, (today - begins).days + 1))
    until = deleted_until()
    due = [day for day in days if not (day in counted_days or may_be_purged(day, until))]
    due = due[:FILL_AT_MOST]
    for day in due:
        refresh_figures(day)
    return due
