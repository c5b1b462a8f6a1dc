"""Points in time as models store them, naive where USE_TZ is off; and the time between them.

Times of one zone must not be added or subtracted directly, whether they are naive or aware: Python
would ignore that an hour is left out in spring and repeated in autumn.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from math import ceil

from django.utils import timezone as django_timezone

from django_voicepassword.conf import settings


def as_aware(moment: datetime) -> datetime:
    """Return ``moment`` in UTC: with USE_TZ off, models give naive ones in the site's zone."""
    if django_timezone.is_naive(moment):
        moment = django_timezone.make_aware(moment, django_timezone.get_default_timezone())
    return moment.astimezone(timezone.utc)


def after(moment: datetime, seconds: float) -> datetime:
    """Return the moment that is ``seconds`` after ``moment``; naive where ``moment`` is.

    A naive moment in the hour that is repeated in autumn can mean two times. Then the later one is
    meant: what waits until this moment does not end early.
    """
    wait = timedelta(seconds=seconds)
    later = as_aware(moment) + wait
    if django_timezone.is_aware(moment):
        return later
    return max(_naive(later), moment + wait)


def before(moment: datetime, seconds: float) -> datetime:
    """Return the moment that is ``seconds`` before ``moment``; naive where ``moment`` is.

    Of two times in the hour that is repeated in autumn the earlier one is meant.
    """
    wait = timedelta(seconds=seconds)
    earlier = as_aware(moment) - wait
    if django_timezone.is_aware(moment):
        return earlier
    return min(_naive(earlier), moment - wait)


def _naive(moment: datetime) -> datetime:
    return django_timezone.make_naive(moment, django_timezone.get_default_timezone())


def seconds_until(moment: datetime, now: datetime | None = None, least: int = 0) -> int:
    """Return the whole seconds from ``now`` (default: the current time) until ``moment``.

    A part of a second counts as a whole one: whoever waits this long is never too early. The result
    is at least ``least``, also where ``moment`` is past.
    """
    remaining = as_aware(moment) - as_aware(now or django_timezone.now())
    return max(ceil(remaining.total_seconds()), least)


def oldest_kept(now: datetime | None = None) -> datetime | None:
    """Return the moment from which history is kept (RETENTION_DAYS); None: all of it is kept."""
    days = settings.RETENTION_DAYS
    return None if days is None else (now or django_timezone.now()) - timedelta(days=days)
