"""The figures of the period by channel, by weekday and hour, and by prefix."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.dates import WEEKDAYS, WEEKDAYS_ABBR
from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.aggregation import ALL
from django_voicepassword.statistics.reading import Period

#: Shades of the heat map beside the one for no calls; each has a class in dashboard.css.
SHADES = 5
#: A prefix with fewer verifications says nothing: one lost call would be a bad rate.
ENOUGH = 20
WORST = 10


@dataclass(frozen=True)
class Cell:
    """An hour of a weekday; ``shade``: 0 for no calls, then 1 to SHADES."""

    calls: str
    conversion: str
    shade: int
    title: str


def by_channel(channels: dict[str, Figures], currency: str) -> list[list[str]]:
    """The first of each row is its header; the last row is all together."""
    ordered = [*(channel for channel in channels if channel), ALL]
    return [
        [
            formatting.channel(channel),
            formatting.whole(one.calls),
            formatting.whole(one.started),
            formatting.percent(one.conversion),
            formatting.money(one.cost, currency),
            formatting.money(one.cost_per_approval, currency),
            formatting.percent(one.answer_rate),
            formatting.seconds(one.median_seconds),
        ]
        for channel in ordered
        for one in [channels[channel]]
    ]


def by_hour(period: Period) -> list[tuple[str, str, list[Cell]]]:
    """Weekday, its short form, 24 cells; Monday first."""
    hours = period.by_hour()
    most = max((one.calls for one in hours.values()), default=0)
    return [
        (
            str(WEEKDAYS[weekday]),
            str(WEEKDAYS_ABBR[weekday]),
            [
                _cell(weekday, hour, hours.get((weekday, hour), Figures()), most)
                for hour in range(24)
            ],
        )
        for weekday in range(7)
    ]


def _cell(weekday: int, hour: int, figures: Figures, most: int) -> Cell:
    told = {
        "weekday": WEEKDAYS[weekday],
        "hour": f"{hour}:00",
        "calls": formatting.whole(figures.calls),
        "conversion": formatting.percent(figures.conversion),
    }
    # Rounded up: a single call is not the shade of none.
    shade = -(-figures.calls * SHADES // most) if most else 0
    title = _("%(weekday)s, %(hour)s: calls %(calls)s, conversion %(conversion)s") % told
    return Cell(str(told["calls"]), str(told["conversion"]), shade, title)


def worst_prefixes(period: Period, currency: str) -> list[list[str]]:
    """The lowest conversions, of prefixes with ENOUGH verifications; of two like ones the one with
    more of them.
    """
    enough = [(prefix, one) for prefix, one in period.by_prefix().items() if one.started >= ENOUGH]
    enough.sort(key=lambda found: (found[1].conversion, -found[1].started, found[0]))
    return [
        [
            formatting.prefix(prefix),
            formatting.percent(one.conversion),
            formatting.whole(one.started),
            formatting.whole(one.calls),
            formatting.money(one.cost, currency),
        ]
        for prefix, one in enough[:WORST]
    ]
