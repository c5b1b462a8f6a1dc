"""Today so far, beside the same time of yesterday and of the same weekday last week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.reading import Period, until

#: Days ago -> the words for more, less, the same, and for what cannot be compared.
_EARLIER = {
    1: (
        gettext_lazy("%(difference)s more than yesterday (%(before)s)"),
        gettext_lazy("%(difference)s less than yesterday (%(before)s)"),
        gettext_lazy("as yesterday (%(before)s)"),
        gettext_lazy("yesterday: %(before)s"),
    ),
    7: (
        gettext_lazy("%(difference)s more than a week ago (%(before)s)"),
        gettext_lazy("%(difference)s less than a week ago (%(before)s)"),
        gettext_lazy("as a week ago (%(before)s)"),
        gettext_lazy("a week ago: %(before)s"),
    ),
}
_MORE, _LESS, _SAME, _NONE = range(4)


@dataclass(frozen=True)
class Change:
    """``direction``: up, down or empty; ``tone``: good, bad or plain."""

    words: str
    direction: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    changes: list[Change]


@dataclass(frozen=True)
class _Kind:
    """How a figure is read, written and compared; ``wanted``: 1 where more is better, -1 where it
    is worse.
    """

    label: str
    read: Callable[[Figures], Any]
    write: Callable[[Any], str]
    compare: Callable[[Any, Any], str]
    wanted: int = 0


def tiles(
    period: Period, days: list[tuple[date, Figures]], now: datetime, currency: str
) -> list[Tile]:
    """``days`` are those of the period: where today is among them it was counted already."""
    channel = period.channel
    so_far = dict(days).get(period.today) or until(now, 0, channel)
    earlier = {ago: until(now, ago, channel) for ago in _EARLIER}
    return [
        Tile(
            kind.label,
            kind.write(kind.read(so_far)),
            [
                _change(kind, ago, kind.read(so_far), kind.read(figures))
                for ago, figures in earlier.items()
            ],
        )
        for kind in _kinds(currency)
    ]


def _kinds(currency: str) -> list[_Kind]:
    def money(amount: Any) -> str:
        return formatting.money(amount, currency)

    return [
        _Kind(_("Calls"), lambda one: one.calls, formatting.whole, _relative),
        _Kind(_("Conversion"), lambda one: one.conversion, formatting.percent, _points, wanted=1),
        _Kind(
            _("Cost per approved login"),
            lambda one: one.cost_per_approval,
            money,
            _relative,
            wanted=-1,
        ),
        _Kind(_("Answer rate"), lambda one: one.answer_rate, formatting.percent, _points),
        _Kind(
            _("Median time to the code"),
            lambda one: one.median_seconds,
            formatting.seconds,
            _seconds,
            wanted=-1,
        ),
        _Kind(_("Spend"), lambda one: one.cost, money, _relative),
    ]


def _change(kind: _Kind, ago: int, now: Any, before: Any) -> Change:
    told = {"before": kind.write(before)}
    if (
        now is None
        or before is None
        or (now != before and not before and kind.compare is _relative)
    ):
        return Change(_EARLIER[ago][_NONE] % told)
    difference = kind.compare(now, before)
    if not difference:
        return Change(_EARLIER[ago][_SAME] % told)
    is_more = now > before
    is_good = kind.wanted == (1 if is_more else -1)
    return Change(
        _EARLIER[ago][_MORE if is_more else _LESS] % {**told, "difference": difference},
        "up" if is_more else "down",
        "plain" if not kind.wanted else "good" if is_good else "bad",
    )


def _relative(now: Any, before: Any) -> str:
    """In per cent of what was before; empty where the difference is too small to be told."""
    rate = round(abs(float(now) / float(before) - 1), 3) if before else 0
    return formatting.percent(rate, 0 if rate >= 0.1 else 1) if rate else ""


def _points(now: float, before: float) -> str:
    """Between two rates."""
    points = round(abs(now - before) * 100, 1)
    return _("%(points)s points") % {"points": formatting.decimal(points)} if points else ""


def _seconds(now: int, before: int) -> str:
    return formatting.seconds(abs(now - before)) if now != before else ""
