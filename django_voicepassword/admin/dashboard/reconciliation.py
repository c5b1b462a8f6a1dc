"""The days on which the provider's statistics and our calls differ."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from django_voicepassword.admin.dashboard import formatting
from django_voicepassword.models import DailyStatistics
from django_voicepassword.statistics.reading import Period


@dataclass(frozen=True)
class Difference:
    """A day with differences.

    ``announced`` compares the rows that came with those that the provider announced; it is empty
    where all of them came.
    """

    key: int
    day: str
    mismatched: str
    missing: str
    unreadable: str
    announced: str
    imported: str


@dataclass(frozen=True)
class Reconciliation:
    """The comparison of a period: how many of its ``days`` were compared, and the differences."""

    is_compared: bool
    days: str
    compared: str
    imported: str
    differences: list[Difference]


def reconcile(period: Period) -> Reconciliation:
    """Compare all channels together: a day is synced as a whole."""
    synced = list(
        DailyStatistics.objects.filter(date__gte=period.first, date__lte=period.last)
        .order_by("-date")
        .defer("counts", "unreadable_rows")
    )
    return Reconciliation(
        bool(synced),
        formatting.whole((period.last - period.first).days + 1),
        formatting.whole(len(synced)),
        formatting.whole(sum(day.imported for day in synced)),
        [
            _difference(day)
            for day in synced
            if day.mismatched or day.missing or day.unreadable or _lacks_rows(day)
        ],
    )


def _lacks_rows(day: DailyStatistics) -> bool:
    return day.told_rows is not None and day.told_rows != day.rows + day.unreadable


def _difference(day: DailyStatistics) -> Difference:
    return Difference(
        day.pk,
        formatting.day(day.date),
        formatting.whole(day.mismatched),
        formatting.whole(day.missing),
        formatting.whole(day.unreadable),
        _announced(day) if _lacks_rows(day) else "",
        formatting.whole(day.imported),
    )


def _announced(day: DailyStatistics) -> str:
    return _("%(came)s of %(told)s") % {
        "came": formatting.whole(day.rows + day.unreadable),
        "told": formatting.whole(day.told_rows or 0),
    }
