"""Today so far, compared with the same time of yesterday and of the same weekday last week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.statistics import Figures
from django_voicepassword.statistics.aggregation import ALL
from django_voicepassword.statistics.reading import Period, until

Number = TypeVar("Number", int, float, Decimal)

#: Days ago -> the sentences for more, less, the same, and not comparable.
_SENTENCES = {
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
_MORE, _LESS, _SAME, _NOT_COMPARABLE = range(4)


@dataclass(frozen=True)
class Change:
    """A comparison in words. ``direction`` is up, down or empty; ``tone`` good, bad or plain."""

    text: str
    direction: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Tile:
    label: str
    value: str
    changes: list[Change]
    note: str = ""


@dataclass(frozen=True)
class Metric(Generic[Number]):
    """A figure of a tile: how to read, format and compare it.

    ``compare`` returns the difference as text, empty where it is too small to show. ``better`` is
    1 if more is better, -1 if less is better, 0 if neither. ``note`` says how to read the figure.
    """

    label: str
    read: Callable[[Figures], Number | None]
    write: Callable[[Number], str]
    compare: Callable[[Number, Number], str]
    better: int = 0
    note: str = ""

    def tile(self, today: Figures, earlier: dict[int, Figures]) -> Tile:
        """Return the tile; ``earlier`` maps days ago to their figures up to the same time."""
        now = self.read(today)
        changes = [
            self.change(days_ago, now, self.read(figures)) for days_ago, figures in earlier.items()
        ]
        return Tile(self.label, self._format(now), changes, self.note)

    def change(self, days_ago: int, now: Number | None, before: Number | None) -> Change:
        sentences, values = _SENTENCES[days_ago], {"before": self._format(before)}
        if now is None or before is None or self._lacks_base(now, before):
            return Change(sentences[_NOT_COMPARABLE] % values)
        difference = self.compare(now, before)
        if not difference:
            return Change(sentences[_SAME] % values)
        is_more = now > before
        text = sentences[_MORE if is_more else _LESS] % {**values, "difference": difference}
        return Change(text, "up" if is_more else "down", self._tone(is_more))

    def _format(self, value: Number | None) -> str:
        return formatting.NO_VALUE if value is None else self.write(value)

    def _lacks_base(self, now: Number, before: Number) -> bool:
        """Whether the change would be a percentage of zero."""
        return self.compare is _relative and not before and now != before

    def _tone(self, is_more: bool) -> str:
        if not self.better:
            return "plain"
        return "good" if is_more == (self.better > 0) else "bad"


def tiles(
    period: Period, days: list[tuple[date, Figures]], now: datetime, currency: str
) -> list[Tile]:
    """Return the tiles of the period's channel.

    ``days`` are those of the period: if today is among them, its figures need no further query.
    """
    channel = period.channel
    today = dict(days).get(period.today) or until(now, 0, channel)
    earlier = {days_ago: until(now, days_ago, channel) for days_ago in _SENTENCES}
    return [metric.tile(today, earlier) for metric in metrics(currency, channel)]


def metrics(
    currency: str, channel: str = ALL
) -> list[Metric[int] | Metric[float] | Metric[Decimal]]:
    def money(amount: Decimal) -> str:
        return formatting.money(amount, currency)

    return [
        Metric[int](_("Calls"), lambda figures: figures.calls, formatting.whole, _relative),
        Metric[float](
            _("Conversion"),
            lambda figures: figures.conversion,
            formatting.percent,
            _points,
            better=1,
        ),
        Metric[Decimal](
            _("Cost per approved login"),
            lambda figures: figures.cost_per_approval,
            money,
            _relative,
            better=-1,
        ),
        Metric[float](
            _("Answer rate"),
            lambda figures: figures.answer_rate,
            formatting.percent,
            _points,
            note=formatting.unanswered_note(channel),
        ),
        Metric[int](
            _("Median time to the code"),
            lambda figures: figures.median_seconds,
            formatting.seconds,
            _seconds,
            better=-1,
        ),
        Metric[Decimal](_("Spend"), lambda figures: figures.cost, money, _relative),
    ]


def _relative(now: float | Decimal, before: float | Decimal) -> str:
    """Return the change in per cent of the earlier value."""
    rate = round(abs(float(now) / float(before) - 1), 3) if before else 0
    return formatting.percent(rate, 0 if rate >= 0.1 else 1) if rate else ""


def _points(now: float, before: float) -> str:
    """Return the difference between two rates in percentage points."""
    points = round(abs(now - before) * 100, 1)
    return _("%(points)s points") % {"points": formatting.decimal(points)} if points else ""


def _seconds(now: int, before: int) -> str:
    return formatting.seconds(abs(now - before)) if now != before else ""
