"""Filters, order and cursor of the call history, shared by the admin, the export and the staff API.

An index answers every filter, however long the history is: no ``icontains``, no DISTINCT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup, Model, Q, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword.history import period
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.search import search_calls
from django_voicepassword.history.texts import clean
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.dates import for_field
from django_voicepassword.security import masking

#: Calls, or rows of their values.
Calls = TypeVar("Calls", bound=QuerySet[CallRequest, Any])
Row = TypeVar("Row", bound=Model)
Filter = Callable[[QuerySet[CallRequest], str], QuerySet[CallRequest]]

#: The value of ``error`` and ``differs`` that finds any error or difference.
ANY = "any"
#: The name of the filter that is a search.
SEARCH = "q"


class InvalidFilter(ValueError):
    """A value that a filter does not accept.

    ``name`` is the name of the filter; the message says which values it accepts.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def apply_filters(
    calls: QuerySet[CallRequest], values: Mapping[str, str | None], reader: Reader
) -> QuerySet[CallRequest]:
    """Return the calls that match all filters. Empty values and unknown names are ignored.

    - ``state``, ``channel``, ``origin``: a value of that field of CallRequest.
    - ``error``: an error code, or ``any``.
    - ``differs``: ``state``, ``price``, ``duration`` or ``any``.
    - ``from``, ``to``: ISO dates in the active time zone, both included.
    - ``q``: see ``search_calls``.

    Raises InvalidFilter, and RateLimited as ``search_calls`` does.
    """
    for name, apply in _FILTERS.items():
        value = (values.get(name) or "").strip()
        if value:
            calls = apply(calls, value)
    calls = in_period(calls, values)
    text = (values.get(SEARCH) or "").strip()
    return search_calls(calls, text, reader) if text else calls


def in_period(
    rows: QuerySet[Row], values: Mapping[str, str | None], field: str = "created_at"
) -> QuerySet[Row]:
    """Return the rows whose ``field`` is in the period ``from`` to ``to``; see ``apply_filters``.

    Raises InvalidFilter.
    """
    first, last = (
        _parse_day(name, text) if (text := (values.get(name) or "").strip()) else None
        for name in period.PARAMETERS
    )
    if first is not None:
        rows = rows.filter(**{f"{field}__gte": _midnight(first)})
    if last is not None:
        rows = rows.filter(**{f"{field}__lt": _midnight(last + timedelta(days=1))})
    return rows


def to_number(calls: QuerySet[CallRequest], phone: str) -> QuerySet[CallRequest]:
    """Return the calls to this number.

    There are none where RETENTION "mask" has removed its last digits: ten thousand numbers have the
    same beginning. Neither are there where the number was erased: all erased ones look alike.
    """
    return calls.none() if masking.is_removed(phone) else calls.filter(phone=phone)


def of_same_number(calls: QuerySet[CallRequest], call_id: str) -> QuerySet[CallRequest]:
    """Return the calls to the number of the call ``call_id``. Raises InvalidFilter.

    So an address of the admin need not contain the number.
    """
    if not call_id:
        return calls
    if not (call_id.isascii() and call_id.isdigit() and len(call_id) < 19):
        raise InvalidFilter("number_of", _("The id of a call."))
    phone = CallRequest.objects.filter(pk=int(call_id)).values_list("phone", flat=True).first()
    return to_number(calls, phone) if phone is not None else calls.none()


def order(newest_first: bool = True) -> tuple[str, str]:
    """Return the order of the history: that of an index, and unique through the id."""
    return ("-created_at", "-id") if newest_first else ("created_at", "id")


def after_cursor(calls: Calls, moment: datetime, key: int, newest_first: bool = True) -> Calls:
    """Return the calls that follow the one with ``moment`` and ``key`` in ``order``.

    That call itself need not exist any more.
    """
    # The condition on created_at alone is redundant, but every database can use it as the range of
    # an index scan.
    if newest_first:
        return calls.filter(Q(created_at__lt=moment) | Q(id__lt=key), created_at__lte=moment)
    return calls.filter(Q(created_at__gt=moment) | Q(id__gt=key), created_at__gte=moment)


def _one_of(name: str, choices: list[str]) -> Filter:
    """Return a filter by the field ``name``, which accepts only ``choices``."""

    def apply(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
        if value not in choices:
            raise InvalidFilter(name, _("One of: %(words)s.") % {"words": ", ".join(choices)})
        return calls.filter(**{name: value})

    return apply


def _with_error(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    calls = calls.filter(_IsNot(F("error_code"), Value("")))
    return calls if value == ANY else calls.filter(error_code=clean(value))


class _IsNot(Lookup):
    """``<>``, as in the condition of the partial index ``voicepassword_call_error``.

    ``exclude()`` writes NOT (… = …), which SQLite does not recognise as the same condition.
    """

    lookup_name = "is_not"

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} <> {right}", (*left_params, *right_params)


def _with_difference(calls: QuerySet[CallRequest], value: str) -> QuerySet[CallRequest]:
    flags = {str(flag.name).lower(): flag.value for flag in CallRequest.Difference}
    if value != ANY and value not in flags:
        raise InvalidFilter(
            "differs", _("One of: %(words)s.") % {"words": ", ".join([ANY, *flags])}
        )
    # The condition of the partial index ``voicepassword_call_difference``.
    calls = calls.filter(difference__gt=0)
    if value == ANY:
        return calls
    every_sum = range(1, 2 * max(flags.values()))
    return calls.filter(difference__in=[total for total in every_sum if total & flags[value]])


def _parse_day(name: str, value: str) -> date:
    """Return the ISO date that ``value`` is. Raises InvalidFilter for the filter ``name``."""
    try:
        return period.parse_day(name, value)
    except period.InvalidPeriod as error:
        raise InvalidFilter(error.parameter, str(error)) from None


def _midnight(day: date) -> datetime:
    """Return the beginning of the day in the active time zone, as ``created_at`` stores it."""
    return for_field(timezone.make_aware(datetime.combine(day, time.min)))


_FILTERS: dict[str, Filter] = {
    "state": _one_of("state", CallRequest.State.values),
    "channel": _one_of("channel", CallRequest.Channel.values),
    "origin": _one_of("origin", CallRequest.Origin.values),
    "error": _with_error,
    "differs": _with_difference,
}
#: The names of all filters.
FILTERS = (*_FILTERS, *period.PARAMETERS, SEARCH)
