"""What tells the end of a masked number, beside the number itself.

A masked number keeps its block (``7999123****``). With the last two digits, which other columns
show, it would be one of a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Case, CharField, F, Model, QuerySet, Value, When

from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    DailyStatistics,
    FraudTrip,
    LimitCounter,
)

if TYPE_CHECKING:
    from django.contrib.admin.models import LogEntry

#: Stands for a number without its last digits.
_HIDDEN = "***"


def _hide_number(field: str) -> Case:
    """Return the text of ``field``, without what may be a masked number."""
    hidden = When(**{f"{field}__contains": "*"}, then=Value(_HIDDEN))
    return Case(hidden, default=F(field), output_field=CharField())


#: The values that the columns of a call get. The digest is one of the number and the code; texts
#: of the provider may contain the number with its last digits.
VALUES: dict[str, Any] = {
    "code_digest": "",
    "error_code": _hide_number("error_code"),
    "service": _hide_number("service"),
}


def remove_reports(calls: Sequence[int]) -> None:
    """Empty what the provider reported about the calls with these keys; states and prices stay."""
    reports = CallStatus.objects.filter(call__in=calls)
    reports.update(
        payload={},
        raw_state=_hide_number("raw_state"),
    )


def remove_log_entries(keys: Sequence[Any], model: type[Model] = CallRequest) -> None:
    """Hide how the admin's history names the rows with these keys."""
    if apps.is_installed("django.contrib.admin"):
        entries = _log_entries(model).filter(object_id__in=map(str, keys))
        entries.update(object_repr=_HIDDEN)


def hide_log_entries(row: Model, texts: Sequence[str] | None = None) -> None:
    """Hide how the admin's history names a row; with ``texts``, only where it contains one."""
    if not apps.is_installed("django.contrib.admin"):
        return
    entries = _log_entries(type(row)).filter(object_id=str(row.pk))
    if texts is None:
        entries.update(object_repr=_HIDDEN)
    for text in texts or ():
        entries.filter(object_repr__contains=text).update(object_repr=_HIDDEN)


def remove_named_entries(addresses: Sequence[str], networks: Sequence[str]) -> None:
    """Hide these addresses and networks where the admin's history names them: what was unblocked
    or lifted.
    """
    if not apps.is_installed("django.contrib.admin"):
        return
    _log_entries(LimitCounter).filter(object_repr__in=addresses).update(object_repr=_HIDDEN)
    for network in networks:
        lifted = _log_entries(FraudTrip).filter(object_repr__contains=network)
        lifted.update(object_repr=_HIDDEN)


def remove_old(before: datetime) -> None:
    """Remove what belongs to no call and is older than ``before``.

    These are the unreadable rows of the daily statistics, and what the staff unblocked or lifted:
    numbers without a call, addresses, and trips of the guard.
    """
    DailyStatistics.objects.filter(date__lt=before.date()).exclude(unreadable_rows=[]).update(
        unreadable_rows=[]
    )
    if apps.is_installed("django.contrib.admin"):
        for model in (LimitCounter, FraudTrip):
            entries = _log_entries(model).filter(action_time__lt=before)
            entries.exclude(object_repr=_HIDDEN).update(object_repr=_HIDDEN)


def _log_entries(model: type[Model]) -> QuerySet[LogEntry]:
    from django.contrib.admin.models import LogEntry
    from django.contrib.contenttypes.models import ContentType

    return LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model))
