"""Moments, durations and shares as the sentences of ``upkeep`` write them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import npgettext

from django_voicepassword.models.moments import as_aware

#: Up to so many seconds a duration is told in seconds.
_TOLD_IN_SECONDS = 120


def moment(value: datetime) -> str:
    """Write date and time, in the current time zone."""
    return str(date_format(timezone.localtime(as_aware(value)), "SHORT_DATETIME_FORMAT"))


def duration(seconds: int) -> str:
    """Write ``57 seconds`` or ``12 minutes``, as Django does: in Russian in the nominative."""
    if seconds <= _TOLD_IN_SECONDS:
        text = npgettext("age", "%(count)d second", "%(count)d seconds", seconds)
        return text % {"count": seconds}
    now = timezone.now()
    return str(timesince(now - timedelta(seconds=seconds), now, depth=1))


def percent(share: float) -> str:
    """Write a share from 0 to 1 as a whole number of per cent: ``65%``."""
    return _("%(percent)s%%") % {"percent": number_format(round(share * 100))}
