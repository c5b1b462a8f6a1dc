"""What is looked for in the call history: one rule for the admin, the export and the staff API.

Every question is one that an index answers, whatever the length of the history: no ``icontains``,
no DISTINCT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import F, Lookup, Q, QuerySet, Value
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from django_voicepassword.history.search import clean, search_calls
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.dates import for_field

#: ``error`` and ``differs``: whichever it is.
ANY = "any"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class InvalidFilter(ValueError):
    """A value that a filter does not take. ``name`` is the filter's, the message says what it
    takes.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def apply_filters(
    calls: QuerySet[CallRequest], wanted: Mapping[str, str | None]
) -> QuerySet[CallRequest]:
    """The calls that fit every filter of ``wanted``; empty values and other names are passed over.

    ``state``, ``channel``, ``origin``: a word of ours; ``error``: an error code or ``any``;
    ``differs``: ``state``, ``price``, ``duration`` or ``any``; ``from``, ``to``: ISO dates in the
    reader's zone, both included; ``q``: see ``search_calls``. Raises InvalidFilter.
    """
    for name, apply in _FILTERS.items():
        value = (wanted.get(name) or "").strip()
        if value:
            calls = apply(calls, value)
    return calls


def of_same_number(calls: QuerySet[CallRequest], call_id: str) -> QuerySet[CallRequest]:
    """The calls to the number of the call ``call_id``, which so need not be named. Raises
    InvalidFilter.
    """
    if not call_id:
        return calls
    if not (call_id.isascii() and call_id.isdigit() and len(call_id) < 19):
        raise InvalidFilter("number_of", _("The id of a call."))
    phone = CallRequest.objects.filter(pk=int(call_id)).values_list("phone", flat=True).first()
    return calls.filter(phone=phone) if phone is not None else calls.none()


def order(newest_first: bool = True) -> tuple[str, str]:
    """How the history is leafed through: by an index, and without two rows in one place."""
    return ("-created_at", "-id") if newest_first else ("created_at", "id")


def after_cursor(
    calls: QuerySet[CallRequest], moment: datetime, key: int, newest_first: bool = True
) -> QuerySet[CallRequest]:
    """The calls that follow the one of ``moment`` and ``key`` in ``order``; that one may be gone."""
    # The moment by itself too: that is the range of the index which every database walks.
    if newest_first:
        return calls.filter(Q(created_at__lt=moment) | Q(id__lt=key), created_at__lte=moment)
    return calls.filter(Q(created_at__gt=moment) | Q(id__gt=key), created_at__gte=moment)


def _one_of(
    name: str, words: list[str]
) -> Callable[[QuerySet[CallRequest], str], QuerySet[CallRequest]]:
    def apply(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
        if value not in words:
            raise InvalidFilter(name, _("One of: %(words)s.") % {"words": ", ".join(words)})
        return calls.filter(**{name: value})

    return apply


def _with_error(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    calls = calls.filter(_IsNot(F("error_code"), Value("")))
    return calls if value == ANY else calls.filter(error_code=clean(value))


class _IsNot(Lookup):
    """``<>``, which is the condition of the index; ``exclude`` says NOT and =, where SQLite does
    not know it again.
    """

    lookup_name = "is_not"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} <> {right}", (*left_params, *right_params)


def _with_difference(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    words = {str(one.name).lower(): one.value for one in CallRequest.Difference}
    if value != ANY and value not in words:
        raise InvalidFilter(
            "differs", _("One of: %(words)s.") % {"words": ", ".join([ANY, *words])}
        )
    calls = calls.filter(difference__gt=0)
    if value == ANY:
        return calls
    return calls.filter(difference__in=[sum_ for sum_ in range(1, 8) if sum_ & words[value]])


def _since(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    return calls.filter(created_at__gte=_midnight(read_day("from", value)))


def _until(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    return calls.filter(created_at__lt=_midnight(read_day("to", value) + timedelta(days=1)))


def read_day(name: str, value: str) -> date:
    """An ISO date. Raises InvalidFilter."""
    try:
        day = parse_date(value) if _DAY.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or not 1970 <= day.year < 2200:
        raise InvalidFilter(name, _("A date, as 2026-03-10."))
    return day


def _midnight(day: date) -> datetime:
    return for_field(timezone.make_aware(datetime.combine(day, time.min)))


_FILTERS: dict[str, Callable[[QuerySet[CallRequest], str], QuerySet[CallRequest]]] = {
    "state": _one_of("state", CallRequest.State.values),
    "channel": _one_of("channel", CallRequest.Channel.values),
    "origin": _one_of("origin", CallRequest.Origin.values),
    "error": _with_error,
    "differs": _with_difference,
    "from": _since,
    "to": _until,
    "q": search_calls,
}
#: The names of all filters.
FILTERS = tuple(_FILTERS)
