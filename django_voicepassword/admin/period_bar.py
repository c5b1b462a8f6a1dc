"""The bar above a list that chooses its period.

It replaces Django's ``date_hierarchy``, which reads every row to find the days that have calls.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_voicepassword.history import period


@dataclass(frozen=True)
class Choice:
    """A link of the bar."""

    label: str
    query: str
    is_chosen: bool = False


class PeriodBar:
    """Links to usual periods, and a way down from years to months to days and back up.

    ``first`` and ``last`` are the chosen days; None where the query has none or cannot be read.
    ``moment`` is the indexed field by which the list is ordered.
    """

    def __init__(self, changelist: ChangeList, moment: str) -> None:
        self._changelist = changelist
        self._moment = moment
        self.first, self.last = (
            _parse_day(name, changelist.params.get(name)) for name in period.PARAMETERS
        )
        self._today = (
            timezone.localdate() if timezone.is_aware(timezone.now()) else timezone.now().date()
        )

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """The other query parameters, which the form of two dates must preserve."""
        return [
            (name, value)
            for name, value in self._changelist.params.items()
            if name not in period.PARAMETERS
        ]

    def usual(self) -> Iterator[Choice]:
        """Yield the links that do not depend on the chosen period."""
        today = self._today
        yield Choice(_("Any date"), self._query_of_any_date(), not (self.first or self.last))
        yield self._choice(_("Today"), today, today)
        yield self._choice(_("Yesterday"), today - timedelta(days=1), today - timedelta(days=1))
        yield self._choice(_("Past 7 days"), today - timedelta(days=6), today)
        yield self._choice(_("This month"), today.replace(day=1), today)

    def deeper(self) -> list[Choice]:
        """Return all years, the months of the chosen year, or the days of the chosen month."""
        first, last = self.first, self.last
        if first is None and last is None:
            return self._years()
        if first is None or last is None:
            return []
        if _is_year(first, last):
            months = [first.replace(month=month) for month in range(1, 13)]
            return [self._month(month) for month in months if month <= self._today]
        if _is_month(first, last):
            days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
            return [
                self._choice(date_format(day, "MONTH_DAY_FORMAT"), day, day)
                for day in days
                if day <= self._today
            ]
        return []

    def above(self) -> Choice | None:
        """Return the link one step up from the chosen year, month or day."""
        first, last = self.first, self.last
        if first is None or last is None:
            return None
        if _is_year(first, last):
            return Choice(_("All years"), self._query_of_any_date())
        if _is_month(first, last):
            return self._year(first.year)
        return self._month(first.replace(day=1)) if first == last else None

    def _years(self) -> list[Choice]:
        rows = self._changelist.model._default_manager.order_by(self._moment)
        oldest = rows.values_list(self._moment, flat=True).first()
        first = self._today.year if oldest is None else oldest.year
        return [self._year(year) for year in range(self._today.year, first - 1, -1)]

    def _year(self, year: int) -> Choice:
        return self._choice(str(year), date(year, 1, 1), date(year, 12, 31))

    def _month(self, first: date) -> Choice:
        return self._choice(date_format(first, "YEAR_MONTH_FORMAT"), first, _month_end(first))

    def _choice(self, label: str, first: date, last: date) -> Choice:
        days = (first.isoformat(), last.isoformat())
        query = self._changelist.get_query_string(dict(zip(period.PARAMETERS, days, strict=True)))
        return Choice(label, query, (self.first, self.last) == (first, last))

    def _query_of_any_date(self) -> str:
        return self._changelist.get_query_string(remove=period.PARAMETERS)


def _is_year(first: date, last: date) -> bool:
    return (first.month, first.day) == (1, 1) and last == date(first.year, 12, 31)


def _is_month(first: date, last: date) -> bool:
    return first.day == 1 and last == _month_end(first)


def _month_end(first: date) -> date:
    return first.replace(day=monthrange(first.year, first.month)[1])


def _parse_day(name: str, text: str | None) -> date | None:
    try:
        return period.parse_day(name, text) if text else None
    except period.InvalidPeriod:
        return None
