"""The money that is left: the newest reading, until when it will do, and its way of the last days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.admin.dashboard.charts import Chart
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading
from django_voicepassword.statistics import forecast

#: The chart: one reading of each four hours of thirty days, 181 points at most.
DAYS = 30
STEP = timedelta(hours=4)
#: Readings looked at for it: one each two minutes.
READ_AT_MOST = 21_600
#: ``check_balance`` runs every hour.
OLD_AFTER = timedelta(hours=3)

_Readings = list[tuple[datetime, Decimal]]


@dataclass(frozen=True)
class Balance:
    """``ends``: a sentence on until when it will do."""

    amount: str
    read_at: datetime
    is_old: bool
    is_low: bool
    ends: str
    chart: Chart


def newest_reading() -> BalanceReading | None:
    return BalanceReading.objects.order_by("-read_at").first()


def balance(reading: BalanceReading) -> Balance:
    threshold = settings.LOW_BALANCE
    return Balance(
        formatting.money(reading.balance, reading.currency),
        reading.read_at,
        timezone.now() - reading.read_at > OLD_AFTER,
        threshold is not None and reading.balance <= threshold,
        _ends(),
        _chart(reading.currency),
    )


def _ends() -> str:
    told = forecast()
    if told is None or told.ends_on is None:
        return _("Nothing was spent on the last full days that were synced: no end is in sight.")
    return _(
        "At %(spend)s a day, as on the last full days that were synced, it will do until %(day)s."
    ) % {
        "spend": formatting.money(told.spend_per_day, told.currency),
        "day": formatting.day(told.ends_on),
    }


def _chart(currency: str) -> Chart:
    now = timezone.now()
    readings = BalanceReading.objects.filter(
        read_at__gt=now - DAYS * timedelta(days=1), read_at__lte=now
    )
    newest_first = readings.order_by("-read_at").values_list("read_at", "balance")[:READ_AT_MOST]
    points = _thinned(list(newest_first), now)
    shown = [point for point in points if point[1] is not None]
    return Chart(
        "balance",
        _("Balance of the last %(days)d days") % {"days": DAYS},
        _message(shown, currency),
        [_("read"), _("balance")],
        [
            [_moment(moment), formatting.money(amount, currency)]
            for moment, amount in reversed(shown)
        ],
        {
            "type": "line",
            "unit": "money",
            "currency": currency,
            "labels": [
                _local(moment).replace(tzinfo=None).isoformat(timespec="minutes")
                for moment, _amount in points
            ],
            "series": [
                {
                    "name": "balance",
                    "label": _("balance"),
                    "values": [
                        None if amount is None else float(amount) for _moment, amount in points
                    ],
                }
            ],
        },
    )


def _thinned(newest_first: _Readings, now: datetime) -> list[tuple[datetime, Decimal | None]]:
    """The newest reading of each step, and its beginning where there is none; from the first
    reading on.
    """
    kept: dict[int, tuple[datetime, Decimal]] = {}
    for moment, amount in newest_first:
        kept.setdefault((now - moment) // STEP, (moment, amount))
    return [
        kept.get(steps, (now - STEP * (steps + 1), None))
        for steps in range(max(kept, default=-1), -1, -1)
    ]


def _message(shown: list[tuple[datetime, Decimal | None]], currency: str) -> str:
    if not shown:
        return _("No balance was read in this time.")
    (first, before), (last, after) = shown[0], shown[-1]
    return _("From %(before)s (%(first)s) to %(after)s (%(last)s).") % {
        "before": formatting.money(before, currency),
        "first": _moment(first),
        "after": formatting.money(after, currency),
        "last": _moment(last),
    }


def _local(moment: datetime) -> datetime:
    """In the reader's zone."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _moment(moment: datetime) -> str:
    return str(date_format(_local(moment), "SHORT_DATETIME_FORMAT"))
