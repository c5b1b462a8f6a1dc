"""The bar above a list that chooses its period, in the place of Django's date hierarchy, which
reads every row.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_voicepassword.history import filters
from django_voicepassword.models import CallRequest

#: The parameters of the list that choose it: ISO dates in the reader's zone, both included.
PERIOD = ("from", "to")


@dataclass(frozen=True)
class Choice:
    """A link of the period's bar."""

    words: str
    query: str
    is_chosen: bool = False


class PeriodChoices:
    """The bar above the list: usual periods, and down from years to months to days, reckoned
    without reading the rows.
    """

    def __init__(self, changes: ChangeList) -> None:
        self._changes = changes
        self.first, self.last = (_day(changes.params.get(name)) for name in PERIOD)
        self._today = (
            timezone.localdate() if timezone.is_aware(timezone.now()) else timezone.now().date()
        )

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What the form of two dates has to carry along."""
        return [(name, value) for name, value in self._changes.params.items() if name not in PERIOD]

    def usual(self) -> Iterator[Choice]:
        today = self._today
        yield Choice(
            _("Any date"),
            self._changes.get_query_string(remove=[*PERIOD]),
            not (self.first or self.last),
        )
        yield self._choice(_("Today"), today, today)
        yield self._choice(_("Yesterday"), today - timedelta(days=1), today - timedelta(days=1))
        yield self._choice(_("Past 7 days"), today - timedelta(days=6), today)
        yield self._choice(_("This month"), today.replace(day=1), today)

    def deeper(self) -> list[Choice]:
        """Years, or the months of the year that is chosen, or the days of the month."""
        first, last = self.first, self.last
        if first is None and last is None:
            return self._years()
        if first is None or last is None:
            return []
        if _is_year(first, last):
            months = [first.replace(month=month) for month in range(1, 13)]
            return [self._month(month) for month in months if month <= self._today]
        if _is_month(first, last):
            days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
            return [
                self._choice(date_format(day, "MONTH_DAY_FORMAT"), day, day)
                for day in days
                if day <= self._today
            ]
        return []

    def above(self) -> Choice | None:
        """The way back up from a year, a month or a day."""
        first, last = self.first, self.last
        if first is None or last is None:
            return None
        if _is_year(first, last):
            return Choice(_("All years"), self._changes.get_query_string(remove=[*PERIOD]))
        if _is_month(first, last):
            return self._year(first.year)
        return self._month(first.replace(day=1)) if first == last else None

    def _years(self) -> list[Choice]:
        oldest = (
            CallRequest.objects.order_by("created_at").values_list("created_at", flat=True).first()
        )
        first = self._today.year if oldest is None else oldest.year
        return [self._year(year) for year in range(self._today.year, first - 1, -1)]

    def _year(self, year: int) -> Choice:
        return self._choice(str(year), date(year, 1, 1), date(year, 12, 31))

    def _month(self, first: date) -> Choice:
        return self._choice(date_format(first, "YEAR_MONTH_FORMAT"), first, _month_end(first))

    def _choice(self, name: str, first: date, last: date) -> Choice:
        query = self._changes.get_query_string({"from": first.isoformat(), "to": last.isoformat()})
        return Choice(name, query, (self.first, self.last) == (first, last))


def _is_year(first: date, last: date) -> bool:
    return (first.month, first.day) == (1, 1) and last == date(first.year, 12, 31)


def _is_month(first: date, last: date) -> bool:
    return first.day == 1 and last == _month_end(first)


def _month_end(first: date) -> date:
    return first.replace(day=monthrange(first.year, first.month)[1])


def _day(value: Any) -> date | None:
    try:
        return filters.read_day("", str(value)) if value else None
    except filters.InvalidFilter:
        return None
