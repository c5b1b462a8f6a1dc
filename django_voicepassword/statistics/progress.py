"""Which hours of a day must be counted again, because something in them changed.

Every change of a figure is one of these, and each can be found by an index:

- a call or verification that was created since the last count;
- a report, which is a new CallStatus; the daily sync and a reply of the provider add one too;
- a change of what was open at the last count: a call that was to be sent or polled, or a pending
  verification;
- an erasure, or a change that ``limits.recounts`` has noted. Then all hours are counted.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Max

from django_voicepassword.conf import settings
from django_voicepassword.limits import recounts
from django_voicepassword.models import CallRequest, CallStatus, DayFigures, Verification
from django_voicepassword.models.moments import as_aware
from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.statistics.aggregation import hour_begins, hours_of

#: The hours of a day.
HOURS = range(24)
#: Longer than any transaction, and than clocks of two processes differ.
_MARGIN = timedelta(hours=1)
#: To be raised when the rules of counting change.
_RULES = 1


def changed_hours(day: date, last: DayFigures | None, began: datetime) -> set[int]:
    """Return the hours that changed since the ``last`` count. ``began``, now, is aware."""
    if last is None or last.progress.get("settings") != _settings():
        return set(HOURS)
    counted_at = as_aware(last.counted_at)
    if began < counted_at:
        # The clock was set back. Calls may now get a time that was counted as over.
        recounts.note(last.counted_at)
    since, noted = counted_at - _MARGIN, recounts.last()
    is_over = since < day_bounds(day)[1] <= began - _MARGIN
    known = _reports_known(last.progress["reports"], since)
    # A day is counted as a whole once more when it is over.
    if is_over or known is None or (noted is not None and noted >= since):
        return set(HOURS)
    reports = CallStatus.objects.filter(id__gt=known)
    return (
        set(last.progress["open"])
        | {hour for hour in HOURS if hour_begins(day, hour + 1) > since}
        | hours_of(day, reports, "call__created_at")
        | hours_of(day, reports, "call__verification__created_at")
    )


def progress_of(day: date, last: DayFigures | None, began: datetime) -> dict[str, Any]:
    """Return what the next count has to know of this one. Read before anything is counted."""
    reports = [] if last is None else list(last.progress.get("reports", []))
    while len(reports) > 1 and _moment(reports[1]) <= began - 2 * _MARGIN:
        del reports[0]
    newest = CallStatus.objects.aggregate(newest=Max("id"))["newest"] or 0
    if not reports or _moment(reports[-1]) <= began - _MARGIN / 4:
        reports.append([began.isoformat(), newest])
    return {"settings": _settings(), "reports": reports, "open": sorted(_open_hours(day))}


def _reports_known(reports: list[list[Any]], until: datetime) -> int | None:
    """Return the newest report that was there at ``until``; None: no count knows.

    A report that was being written during the last count may have a smaller id than the newest
    that it saw, so an earlier count tells.
    """
    known = [int(newest) for moment, newest in reports if _moment([moment]) <= until]
    return max(known, default=None)


def _open_hours(day: date) -> set[int]:
    """Return the hours with something that may change without a new report."""
    state = CallRequest.State
    unsent = CallRequest.objects.filter(state__in=[state.QUEUED, state.PLACING])
    polled = CallRequest.objects.filter(next_poll_at__isnull=False)
    pending = Verification.objects.filter(status=Verification.Status.PENDING)
    hours = hours_of(day, pending, "created_at")
    for calls in (unsent, polled):
        hours |= hours_of(day, calls, "created_at")
        hours |= hours_of(day, calls, "verification__created_at")
    return hours


def _settings() -> str:
    """Return a digest of what decides how calls are counted: when it changes, all is counted."""
    rules = [_RULES, settings.PROVIDER_TIME_ZONE, sorted(settings.TEST_NUMBERS)]
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()


def _moment(report: list[Any]) -> datetime:
    return as_aware(datetime.fromisoformat(report[0]))
