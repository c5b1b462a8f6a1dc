"""The charts: what dashboard.js draws, what each says in a sentence, and the table of the same
figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.statistics import Figures

Days = list[tuple[date, Figures]]


@dataclass(frozen=True)
class Chart:
    """``data`` goes to dashboard.js as JSON; the first of each row is its header, the newest row
    comes first.
    """

    name: str
    title: str
    message: str
    columns: list[str]
    rows: list[list[str]]
    data: dict[str, Any] = field(default_factory=dict)


def by_day(days: Days, whole: Figures, currency: str) -> list[Chart]:
    """``whole``: the figures of all the days together."""
    return [_outcomes(days, whole), _spend(days, whole, currency), _conversion(days, whole)]


def _outcomes(days: Days, whole: Figures) -> Chart:
    labels = {
        "answered": _("answered"),
        "unanswered": _("not answered"),
        "failed": _("failed"),
        "unknown": _("unknown"),
        "waiting": _("no final state yet"),
    }
    parts = ", ".join(
        f"{label}: {formatting.whole(getattr(whole, name))}" for name, label in labels.items()
    )
    message = _("%(calls)s calls in all (%(parts)s); most on %(day)s: %(most)s.")
    return Chart(
        "calls",
        _("Calls by outcome"),
        _told(
            message,
            days,
            lambda one: one.calls,
            formatting.whole,
            calls=formatting.whole(whole.calls),
            parts=parts,
        ),
        [_("day"), _("calls"), *labels.values(), _("refused")],
        _rows(days, "calls", *labels, "refused"),
        {
            "type": "bar",
            "unit": "count",
            "labels": _labels(days),
            "series": [
                {"name": name, "label": label, "values": [getattr(one, name) for _day, one in days]}
                for name, label in labels.items()
            ],
        },
    )


def _spend(days: Days, whole: Figures, currency: str) -> Chart:
    def write(amount: Any) -> str:
        return formatting.money(amount, currency)

    message = _("%(spend)s in all; most on %(day)s: %(most)s.")
    return Chart(
        "spend",
        _("Spend"),
        _told(message, days, lambda one: one.cost, write, spend=write(whole.cost)),
        [_("day"), _("spend")],
        [[formatting.day(day), write(one.cost)] for day, one in reversed(days)],
        {
            "type": "bar",
            "unit": "money",
            "currency": currency,
            "labels": _labels(days),
            "series": [
                {
                    "name": "spend",
                    "label": _("spend"),
                    "values": [float(one.cost) for _day, one in days],
                }
            ],
        },
    )


def _conversion(days: Days, whole: Figures) -> Chart:
    known = [(day, one) for day, one in days if one.conversion is not None]
    message = _(
        "%(conversion)s over the whole period; highest on %(day)s: %(most)s; lowest on %(low_day)s: %(least)s."
    )
    told = (
        _none()
        if not known
        else _told(
            message,
            known,
            lambda one: one.conversion,
            formatting.percent,
            conversion=formatting.percent(whole.conversion),
        )
    )
    return Chart(
        "conversion",
        _("Conversion"),
        told,
        [_("day"), _("verifications started"), _("verifications approved"), _("conversion")],
        [
            [
                formatting.day(day),
                formatting.whole(one.started),
                formatting.whole(one.approved),
                formatting.percent(one.conversion),
            ]
            for day, one in reversed(days)
        ],
        {
            "type": "line",
            "unit": "percent",
            "labels": _labels(days),
            "series": [
                {
                    "name": "conversion",
                    "label": _("conversion"),
                    "values": [one.conversion for _day, one in days],
                }
            ],
        },
    )


def _told(
    message: str,
    days: Days,
    read: Callable[[Figures], Any],
    write: Callable[[Any], str],
    **told: str,
) -> str:
    """A sentence with the days of the highest and of the lowest figure in it; another one where
    nothing happened.
    """
    high_day, high = max(days, key=lambda one: read(one[1]))
    low_day, low = min(days, key=lambda one: read(one[1]))
    if not high.calls and not high.started:
        return _none()
    told |= {"day": formatting.day(high_day), "most": write(read(high))}
    return message % {**told, "low_day": formatting.day(low_day), "least": write(read(low))}


def _none() -> str:
    return _("There was nothing in this period.")


def _labels(days: Days) -> list[str]:
    return [day.isoformat() for day, _one in days]


def _rows(days: Days, *names: str) -> list[list[str]]:
    return [
        [formatting.day(day), *(formatting.whole(getattr(one, name)) for name in names)]
        for day, one in reversed(days)
    ]
