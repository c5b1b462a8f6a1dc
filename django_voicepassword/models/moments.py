"""Points in time as models store them, naive where USE_TZ is off; and the seconds until one."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from django.utils import timezone


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
