"""The tables of figures: by channel, by weekday and hour, by prefix."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.aggregation import ALL
from django_voicepassword.statistics.reading import Period

#: Shades of the heat map, besides shade 0 for no calls; each has a class in dashboard.css.
SHADES = 5
#: A prefix with fewer verifications is left out: a single failed one would give it a bad rate.
MIN_STARTED = 20
#: How many prefixes the table has.
MAX_PREFIXES = 10


@dataclass(frozen=True)
class Cell:
    """An hour of a weekday; ``shade`` is 0 for no calls, otherwise 1 to SHADES."""

    calls: str
    conversion: str
    shade: int
    title: str


def by_channel(channels: dict[str, Figures], currency: str) -> list[list[str]]:
    """Return a row per channel, then one for all together. The first cell is the row's header."""
    ordered = [*(channel for channel in channels if channel), ALL]
    return [_channel_row(channel, channels[channel], currency) for channel in ordered]


def _channel_row(channel: str, figures: Figures, currency: str) -> list[str]:
    return [
        formatting.channel(channel),
        formatting.whole(figures.calls),
        formatting.whole(figures.started),
        formatting.percent(figures.conversion),
        formatting.money(figures.cost, currency),
        formatting.money(figures.cost_per_approval, currency),
        formatting.percent(figures.answer_rate),
        formatting.seconds(figures.median_seconds),
    ]


def by_hour(period: Period) -> list[tuple[str, str, list[Cell]]]:
    """Return the name, the short name and the 24 cells of each weekday, Monday first."""
    hours = period.by_hour()
    max_calls = max((figures.calls for figures in hours.values()), default=0)
    return [
        (
            str(WEEKDAYS[weekday]),
            str(WEEKDAYS_ABBR[weekday]),
            [
                _cell(weekday, hour, hours.get((weekday, hour), Figures()), max_calls)
                for hour in range(24)
            ],
        )
        for weekday in range(7)
    ]


def _cell(weekday: int, hour: int, figures: Figures, max_calls: int) -> Cell:
    calls, conversion = formatting.whole(figures.calls), formatting.percent(figures.conversion)
    # Round up, so that a single call does not get the shade for no calls.
    shade = -(-figures.calls * SHADES // max_calls) if max_calls else 0
    title = _("%(weekday)s, %(hour)s: calls %(calls)s, conversion %(conversion)s") % {
        "weekday": WEEKDAYS[weekday],
        "hour": f"{hour}:00",
        "calls": calls,
        "conversion": conversion,
    }
    return Cell(calls, conversion, shade, title)


def worst_prefixes(period: Period, currency: str) -> list[list[str]]:
    """Return the prefixes with the lowest conversion, of those with MIN_STARTED verifications.

    Of two with the same conversion, the one with more verifications comes first.
    """
    prefixes = [
        (figures.conversion, -figures.started, prefix, figures)
        for prefix, figures in period.by_prefix().items()
        if figures.started >= MIN_STARTED
    ]
    prefixes.sort(key=lambda entry: entry[:3])
    return [
        [
            formatting.prefix(prefix),
            formatting.percent(conversion),
            formatting.whole(figures.started),
            formatting.whole(figures.calls),
            formatting.money(figures.cost, currency),
        ]
        for conversion, _started, prefix, figures in prefixes[:MAX_PREFIXES]
    ]
