"""The provider's daily statistics of the made-up calls."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from demo_data.reports import next_sync
from demo_data.traffic_profile import Day
from django_voicepassword.models import CallRequest, DailyStatistics

HOUR = timedelta(hours=1)


def write_day(day: Day, now: datetime) -> None:
    """Write the statistics of a day as its last sync left them.

    They count every call in the database, also those of earlier runs.
    """
    last = next_sync(now) - HOUR if next_sync(now) > now else now
    # Each day is read every hour until the end of the next day.
    at = min(last, next_sync(day.ends + 23 * HOUR))
    if at < day.begins:
        return
    calls = CallRequest.objects.filter(created_at__gte=day.begins, created_at__lt=day.ends)
    listed = calls.filter(listed_at__isnull=False)
    values = listed.aggregate(
        rows=Count("pk"),
        total_price=Sum("price", default=Decimal(0)),
        matched=Count("pk", filter=Q(origin=CallRequest.Origin.APP)),
        imported=Count("pk", filter=Q(origin=CallRequest.Origin.IMPORTED)),
        mismatched=Count("pk", filter=Q(difference__gt=0)),
    )
    missing = _missing(calls.filter(created_at__lt=at)).count()
    values |= {
        "told_rows": values["rows"],
        "counts": _counts(listed),
        "missing": missing,
        "synced_at": at,
    }
    DailyStatistics.objects.update_or_create(date=day.date, defaults=values)


def _counts(calls: QuerySet[CallRequest]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for channel, state, number in (
        calls.order_by().values_list("channel", "state").annotate(number=Count("pk"))
    ):
        counts[channel][state] = number
    return dict(counts)


def _missing(calls: QuerySet[CallRequest]) -> QuerySet[CallRequest]:
    """Return the sent calls that the provider does not list, as ``statistics.sync_day`` does."""
    sent = calls.filter(listed_at__isnull=True, claimed_at__isnull=False).exclude(
        service=CallRequest.TEST_SERVICE
    )
    return sent.exclude(state__in=[*CallRequest.UNSENT_STATES, CallRequest.State.PLACING])
