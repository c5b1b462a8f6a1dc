"""Points in time as models store them, naive where USE_TZ is off; and the seconds until one."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from django.utils import timezone

from django_voicepassword.conf import settings


def as_aware(moment: datetime) -> datetime:
    """Return ``moment`` with a zone: with USE_TZ off, models give naive ones in the site's zone."""
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def seconds_until(moment: datetime, now: datetime | None = None, least: int = 0) -> int:
    """Return the whole seconds from ``now`` (default: the current time) until ``moment``.

    A part of a second counts as a whole one: whoever waits this long is never too early. The result
    is at least ``least``, also where ``moment`` is past.
    """
    remaining = as_aware(moment) - as_aware(now or timezone.now())
    return max(ceil(remaining.total_seconds()), least)


def oldest_kept(now: datetime | None = None) -> datetime | None:
    """Return the moment from which history is kept (RETENTION_DAYS); None: all of it is kept."""
    days = settings.RETENTION_DAYS
    return None if days is None else (now or timezone.now()) - timedelta(days=days)
