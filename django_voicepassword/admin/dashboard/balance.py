"""The balance: the newest reading, how long it will last, and a chart of the last days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.admin.dashboard.charts import Chart
from django_voicepassword.conf import settings
from django_voicepassword.models import BalanceReading
from django_voicepassword.models.money import sign
from django_voicepassword.provider import factory
from django_voicepassword.statistics import Forecast
from django_voicepassword.verifications import operator_texts

#: The chart has one reading for every four hours of thirty days: 181 points at most.
DAYS = 30
STEP = timedelta(hours=4)
#: The chart reads no more rows than these: one every two minutes.
MAX_READINGS = 21_600
#: ``check_balance`` runs every hour.
OLD_AFTER = timedelta(hours=3)

_Reading = tuple[datetime, Decimal]
#: The amount is None where a step of the chart has no reading.
_Point = tuple[datetime, Decimal | None]


@dataclass(frozen=True)
class Balance:
    """``forecast`` is a sentence about how long the balance will last."""

    amount: str
    read_at: datetime
    is_old: bool
    is_low: bool
    forecast: str
    chart: Chart


def why_unknown() -> str:
    """Why no balance was read, in the active language."""
    try:
        has_account = not factory.is_pretended()
    except ImproperlyConfigured:
        # A system check says what is wrong.
        has_account = True
    if has_account:
        return _("No balance was read yet: the task check_balance does it every hour.")
    return operator_texts.no_account_text()


def newest_reading() -> BalanceReading | None:
    return BalanceReading.objects.order_by("-read_at").first()


def balance(reading: BalanceReading, prediction: Forecast) -> Balance:
    threshold = settings.LOW_BALANCE
    return Balance(
        formatting.money(reading.balance, reading.currency),
        reading.read_at,
        timezone.now() - reading.read_at > OLD_AFTER,
        threshold is not None and reading.balance <= threshold,
        _forecast_sentence(prediction),
        _chart(reading.currency),
    )


def _forecast_sentence(prediction: Forecast) -> str:
    if prediction.ends_on is None:
        return _("Nothing was spent on the last full days that were synced: no end is in sight.")
    return _(
        "At %(spend)s a day, as on the last full days that were synced, it will do until %(day)s."
    ) % {
        "spend": formatting.money(prediction.spend_per_day, prediction.currency),
        "day": formatting.day(prediction.ends_on),
    }


def _chart(currency: str) -> Chart:
    now = timezone.now()
    readings = BalanceReading.objects.filter(
        read_at__gt=now - DAYS * timedelta(days=1), read_at__lte=now
    )
    newest_first = readings.order_by("-read_at").values_list("read_at", "balance")[:MAX_READINGS]
    points = _thin_out(list(newest_first), now)
    read = [(moment, amount) for moment, amount in points if amount is not None]
    return Chart(
        "balance",
        _("Balance of the last %(days)d days") % {"days": DAYS},
        _message(read, currency),
        [_("read"), _("balance")],
        [
            [_moment(moment), formatting.money(amount, currency)]
            for moment, amount in reversed(read)
        ],
        _chart_data(points, currency),
    )


def _chart_data(points: list[_Point], currency: str) -> dict[str, object]:
    values = [None if amount is None else float(amount) for _moment, amount in points]
    return {
        "type": "line",
        "unit": "money",
        "currency": sign(currency),
        "labels": [
            _local(moment).replace(tzinfo=None).isoformat(timespec="minutes")
            for moment, _amount in points
        ],
        "series": [{"name": "balance", "label": _("balance"), "values": values}],
    }


def _thin_out(newest_first: list[_Reading], now: datetime) -> list[_Point]:
    """Return one point per step, oldest first, beginning with the step of the oldest reading.

    The point is the newest reading of the step, or the beginning of the step without an amount.
    """
    newest_of_step: dict[int, _Reading] = {}
    for moment, amount in newest_first:
        newest_of_step.setdefault((now - moment) // STEP, (moment, amount))
    return [
        newest_of_step.get(steps, (now - STEP * (steps + 1), None))
        for steps in range(max(newest_of_step, default=-1), -1, -1)
    ]


def _message(readings: list[_Reading], currency: str) -> str:
    if not readings:
        return _("No balance was read in this time.")
    (first, before), (last, after) = readings[0], readings[-1]
    return _("From %(before)s (%(first)s) to %(after)s (%(last)s).") % {
        "before": formatting.money(before, currency),
        "first": _moment(first),
        "after": formatting.money(after, currency),
        "last": _moment(last),
    }


def _local(moment: datetime) -> datetime:
    """Return the moment in the reader's time zone."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _moment(moment: datetime) -> str:
    return str(date_format(_local(moment), "SHORT_DATETIME_FORMAT"))
