"""The period and the channel that the query string selects. Anybody may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.history import period as history_period
from django_voicepassword.history.period import DEFAULT_DAYS, MAX_DAYS, InvalidPeriod, Problem
from django_voicepassword.statistics.aggregation import ALL, CHANNELS
from django_voicepassword.statistics.reading import Period

#: The page has links to periods of so many days up to today.
OFFERED_DAYS = (7, 30, 90, 365)


class _InvalidQuery(Exception):
    """The message is for the reader of the page."""


@dataclass(frozen=True)
class Link:
    label: str
    address: str
    is_current: bool


@dataclass(frozen=True)
class Selection:
    """What the page shows.

    ``days`` is the number of days up to today, None where the query gives dates. ``problem`` says
    why the page does not show what the query asks for.
    """

    period: Period
    days: int | None
    problem: str = ""

    @property
    def channel(self) -> str:
        return formatting.channel(self.period.channel)

    @property
    def heading(self) -> str:
        """The period in words."""
        if self.days is not None:
            return ngettext("Last %(count)d day", "Last %(count)d days", self.days) % {
                "count": self.days
            }
        first, last = formatting.day(self.period.first), formatting.day(self.period.last)
        if self.period.first == self.period.last:
            return first
        return _("%(first)s to %(last)s") % {"first": first, "last": last}

    def periods(self) -> list[Link]:
        """Return links to the offered periods, with the selected channel."""
        return [
            Link(
                ngettext("%(count)d day", "%(count)d days", days) % {"count": days},
                _address({"days": str(days)}, self.period.channel),
                days == self.days,
            )
            for days in OFFERED_DAYS
        ]

    def channels(self) -> list[Link]:
        """Return links to the channels, with the selected period."""
        first, last = self.period.first.isoformat(), self.period.last.isoformat()
        period = {"from": first, "to": last} if self.days is None else {"days": str(self.days)}
        return [
            Link(
                formatting.channel(channel),
                _address(period, channel),
                channel == self.period.channel,
            )
            for channel in CHANNELS
        ]


def read_selection(query: Mapping[str, str], today: date) -> Selection:
    """Read ``days``, or ``from`` and ``to``, and ``channel``.

    If one of them is invalid, select the default period and explain the problem.
    """
    channel = query.get("channel", ALL)
    try:
        if channel not in CHANNELS:
            channel = ALL
            raise _InvalidQuery(_("There is no such channel."))
        if any(query.get(name) for name in history_period.PARAMETERS):
            return Selection(Period(*_read_dates(query, today), channel), None)
        days = _read_days(query.get("days") or str(DEFAULT_DAYS))
    except _InvalidQuery as error:
        shown = _("The last %(days)d days are shown.") % {"days": DEFAULT_DAYS}
        period = _period_up_to(today, DEFAULT_DAYS, channel)
        return Selection(period, DEFAULT_DAYS, f"{error} {shown}")
    return Selection(_period_up_to(today, days, channel), days)


def _period_up_to(today: date, days: int, channel: str) -> Period:
    return Period(today - timedelta(days=days - 1), today, channel)


def _read_days(text: str) -> int:
    # Check the length first: int() raises ValueError for thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0):
        raise _InvalidQuery(_("This is not a number of days."))
    if int(text) > MAX_DAYS:
        raise _InvalidQuery(_explain(Problem.TOO_LONG))
    return int(text)


def _read_dates(query: Mapping[str, str], today: date) -> tuple[date, date]:
    try:
        # Days after today have no figures.
        return history_period.read_period(query, today, allow_future=False)
    except InvalidPeriod as error:
        raise _InvalidQuery(_explain(error.problem)) from None


def _explain(problem: Problem) -> str:
    if problem is Problem.NOT_A_DATE:
        return _("This is not a date like 2026-03-10.")
    if problem is Problem.REVERSED:
        return _("The first day is after the last one or after today.")
    message = ngettext(
        "A period has %(count)d day at most.", "A period has %(count)d days at most.", MAX_DAYS
    )
    return message % {"count": MAX_DAYS}


def _address(period: Mapping[str, str], channel: str) -> str:
    """Return the query string that selects this period and channel."""
    return "?" + urlencode({**period, **({"channel": channel} if channel else {})})
