"""What the reader asks for: a period and a channel, out of an address that anybody may have
written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.provider.dates import PLAUSIBLE_YEARS
from django_voicepassword.statistics.aggregation import ALL, CHANNELS
from django_voicepassword.statistics.reading import Period

#: Days up to today that are offered, and what is shown to who asks for none.
OFFERED = (7, 30, 90, 365)
USUAL = 30
#: Three years: a page is read as a whole.
LONGEST = 1096


class _Unreadable(Exception):
    """In words for the reader."""


@dataclass(frozen=True)
class Asked:
    """``days``: how many up to today, None where two dates were given; ``problem``: why it is not
    what the address says.
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
        dates = {
            "first": formatting.day(self.period.first),
            "last": formatting.day(self.period.last),
        }
        return (
            dates["first"]
            if self.period.first == self.period.last
            else _("%(first)s to %(last)s") % dates
        )

    def periods(self) -> list[dict[str, object]]:
        """Links to the periods that are offered, of the same channel."""
        return [
            {
                "label": ngettext("%(count)d day", "%(count)d days", days) % {"count": days},
                "address": _address({"days": str(days)}, self.period.channel),
                "is_current": days == self.days,
            }
            for days in OFFERED
        ]

    def channels(self) -> list[dict[str, object]]:
        """Links to the channels, of the same period."""
        first, last = self.period.first.isoformat(), self.period.last.isoformat()
        period = {"from": first, "to": last} if self.days is None else {"days": str(self.days)}
        return [
            {
                "label": formatting.channel(channel),
                "address": _address(period, channel),
                "is_current": channel == self.period.channel,
            }
            for channel in CHANNELS
        ]


def read_asked(query: Mapping[str, str], today: date) -> Asked:
    """``days`` or ``from`` and ``to``, and ``channel``; what cannot be read is the usual, with a
    problem that says so.
    """
    channel = query.get("channel", ALL)
    try:
        if channel not in CHANNELS:
            channel = ALL
            raise _Unreadable(_("There is no such channel."))
        if query.get("from") or query.get("to"):
            return Asked(Period(*_dates(query, today), channel), None)
        days = _days(query.get("days") or str(USUAL))
    except _Unreadable as error:
        usual = _("The last %(days)d days are shown.") % {"days": USUAL}
        return Asked(_up_to(today, USUAL, channel), USUAL, f"{error} {usual}")
    return Asked(_up_to(today, days, channel), days)


def _up_to(today: date, days: int, channel: str) -> Period:
    return Period(today - timedelta(days=days - 1), today, channel)


def _days(written: str) -> int:
    # Of a plain number of four digits nothing can go wrong in int().
    if not (written.isascii() and written.isdigit() and len(written) <= 4 and int(written) > 0):
        raise _Unreadable(_("This is not a number of days."))
    return _bounded(int(written))


def _dates(query: Mapping[str, str], today: date) -> tuple[date, date]:
    # Of days to come there is nothing to tell.
    last = min(_date(query.get("to"), today), today)
    first = _date(query.get("from"), last - timedelta(days=USUAL - 1))
    if first > last:
        raise _Unreadable(_("The first day is after the last one or after today."))
    _bounded((last - first).days + 1)
    return first, last


def _date(written: str | None, otherwise: date) -> date:
    if not written:
        return otherwise
    try:
        found = date.fromisoformat(written)
    except ValueError:
        found = date.min
    if found.year not in PLAUSIBLE_YEARS:
        raise _Unreadable(_("This is not a date like 2026-03-10."))
    return found


def _bounded(days: int) -> int:
    if days > LONGEST:
        told = ngettext(
            "A period has %(count)d day at most.", "A period has %(count)d days at most.", LONGEST
        )
        raise _Unreadable(told % {"count": LONGEST})
    return days


def _address(period: Mapping[str, str], channel: str) -> str:
    """Of this page, as a link in it."""
    return "?" + urlencode({**period, **({"channel": channel} if channel else {})})
