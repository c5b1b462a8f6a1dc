"""The charts by day.

Each has the data that dashboard.js draws, a sentence that sums it up, and the same figures as a
table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TypeVar

from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.models.money import sign
from django_voicepassword.statistics import Figures

Days = list[tuple[date, Figures]]
Number = TypeVar("Number", int, float, Decimal)


@dataclass(frozen=True)
class Chart:
    """``data`` goes to dashboard.js as JSON.

    ``rows`` are those of the table, the newest first; the first cell of each is its header.
    """

    name: str
    title: str
    message: str
    columns: list[str]
    rows: list[list[str]]
    data: dict[str, object] = field(default_factory=dict)


def by_day(days: Days, total: Figures, currency: str) -> list[Chart]:
    """Return the charts of outcomes, spend and conversion.

    ``total`` has the figures of all days together: the conversion of a period is not the mean of
    its days.
    """
    return [_outcomes(days, total), _spend(days, total, currency), _conversion(days, total)]


def _outcomes(days: Days, total: Figures) -> Chart:
    labels = {
        "answered": _("answered"),
        "unanswered": _("not answered"),
        "failed": _("failed"),
        "unknown": _("unknown"),
        "waiting": _("no final state yet"),
    }
    parts = ", ".join(
        f"{label}: {formatting.whole(getattr(total, name))}" for name, label in labels.items()
    )
    message = _("%(calls)s calls in all (%(parts)s); most on %(day)s: %(most)s.")
    return Chart(
        "calls",
        _("Calls by outcome"),
        _summarize(
            message,
            days,
            lambda figures: figures.calls,
            formatting.whole,
            calls=formatting.whole(total.calls),
            parts=parts,
        ),
        [_("day"), _("calls"), *labels.values(), _("refused")],
        _count_rows(days, "calls", *labels, "refused"),
        {
            "type": "bar",
            "unit": "count",
            "labels": _labels(days),
            "series": [
                _series(name, label, [getattr(figures, name) for _day, figures in days])
                for name, label in labels.items()
            ],
        },
    )


def _spend(days: Days, total: Figures, currency: str) -> Chart:
    def write(amount: Decimal) -> str:
        return formatting.money(amount, currency)

    message = _("%(spend)s in all; most on %(day)s: %(most)s.")
    values = [float(figures.cost) for _day, figures in days]
    return Chart(
        "spend",
        _("Spend"),
        _summarize(message, days, lambda figures: figures.cost, write, spend=write(total.cost)),
        [_("day"), _("spend")],
        [[formatting.day(day), write(figures.cost)] for day, figures in reversed(days)],
        {
            "type": "bar",
            "unit": "money",
            "currency": sign(currency),
            "labels": _labels(days),
            "series": [_series("spend", _("spend"), values)],
        },
    )


def _conversion(days: Days, total: Figures) -> Chart:
    values = [figures.conversion for _day, figures in days]
    return Chart(
        "conversion",
        _("Conversion"),
        _summarize_conversion(days, total),
        [_("day"), _("verifications started"), _("verifications approved"), _("conversion")],
        [
            [
                formatting.day(day),
                formatting.whole(figures.started),
                formatting.whole(figures.approved),
                formatting.percent(figures.conversion),
            ]
            for day, figures in reversed(days)
        ],
        {
            "type": "line",
            "unit": "percent",
            "labels": _labels(days),
            "series": [_series("conversion", _("conversion"), values)],
        },
    )


def _summarize_conversion(days: Days, total: Figures) -> str:
    # A day without verifications has no conversion, which is not a conversion of zero.
    days = [(day, figures) for day, figures in days if figures.conversion is not None]
    if not days:
        return _nothing_happened()
    message = _(
        "%(conversion)s over the whole period; highest on %(day)s: %(most)s; "
        "lowest on %(low_day)s: %(least)s."
    )
    return _summarize(
        message,
        days,
        lambda figures: figures.conversion or 0.0,
        formatting.percent,
        conversion=formatting.percent(total.conversion),
    )


def _summarize(
    message: str,
    days: Days,
    read: Callable[[Figures], Number],
    write: Callable[[Number], str],
    **values: str,
) -> str:
    """Put ``values`` and the days with the highest and the lowest figure into ``message``."""
    high_day, high = max(days, key=lambda entry: read(entry[1]))
    low_day, low = min(days, key=lambda entry: read(entry[1]))
    if not high.calls and not high.started:
        return _nothing_happened()
    return message % {
        **values,
        "day": formatting.day(high_day),
        "most": write(read(high)),
        "low_day": formatting.day(low_day),
        "least": write(read(low)),
    }


def _nothing_happened() -> str:
    return _("There was nothing in this period.")


def _series(name: str, label: str, values: list[float | None] | list[float]) -> dict[str, object]:
    return {"name": name, "label": label, "values": values}


def _labels(days: Days) -> list[str]:
    return [day.isoformat() for day, _figures in days]


def _count_rows(days: Days, *names: str) -> list[list[str]]:
    return [
        [formatting.day(day), *(formatting.whole(getattr(figures, name)) for name in names)]
        for day, figures in reversed(days)
    ]
