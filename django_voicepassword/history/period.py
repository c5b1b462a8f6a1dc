"""Read a period from a query: ``from`` and ``to``, ISO dates, both days included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from enum import Enum, auto

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

#: The query parameters that name the first and the last day.
PARAMETERS = ("from", "to")
#: Length of the period when the query names no first day.
DEFAULT_DAYS = 30
#: Three years: some answers have one entry per day.
MAX_DAYS = 1096
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: Every supported database stores these years, and date arithmetic on them cannot overflow.
_YEARS = range(1970, 2200)


class Problem(Enum):
    """Why a period cannot be read."""

    NOT_A_DATE = auto()
    REVERSED = auto()
    TOO_LONG = auto()


class InvalidPeriod(ValueError):
    """A period that cannot be read. The message is for a caller of the API.

    ``parameter`` is the query parameter at fault. A page may word ``problem`` itself.
    """

    def __init__(self, parameter: str, problem: Problem, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.problem = problem


def parse_day(parameter: str, text: str) -> date:
    """Parse an ISO date. Raises InvalidPeriod."""
    text = text.strip()
    try:
        day = parse_date(text) if _ISO_DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise InvalidPeriod(parameter, Problem.NOT_A_DATE, _("A date, as 2026-03-10."))
    return day


def read_period(
    query: Mapping[str, str], today: date, allow_future: bool = True
) -> tuple[date, date]:
    """Return the first and the last day. Raises InvalidPeriod.

    Without ``to`` the period ends today; without ``from`` it has DEFAULT_DAYS days. A last day
    after today becomes today unless ``allow_future``.
    """
    first, last = (parse_day(name, query[name]) if query.get(name) else None for name in PARAMETERS)
    last = last or today
    if not allow_future:
        last = min(last, today)
    first = first or last - timedelta(days=DEFAULT_DAYS - 1)
    if first > last:
        message = _("After the last day, %(day)s.") % {"day": last.isoformat()}
        raise InvalidPeriod("from", Problem.REVERSED, message)
    if (last - first).days >= MAX_DAYS:
        message = _("At most %(days)d days.") % {"days": MAX_DAYS}
        raise InvalidPeriod("from", Problem.TOO_LONG, message)
    return first, last
