"""Calls and verifications of a time, counted from their rows; and a day of them kept for the pages.

A day is counted as a whole and takes the place of what was kept of it: nothing drifts, and it may
be done again at will.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import router, transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    Expression,
    F,
    Func,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Substr
from django.utils import timezone

from django_voicepassword import limits, phones
from django_voicepassword.conf import settings
from django_voicepassword.models import (
    CallRequest,
    DayFigures,
    HourFigures,
    PrefixFigures,
    Verification,
)
from django_voicepassword.provider.dates import day_bounds, for_field
from django_voicepassword.statistics.figures import Figures
from django_voicepassword.statistics.sync import provider_today

logger = logging.getLogger(__name__)

#: All channels together.
ALL = ""
CHANNELS = (ALL, *CallRequest.Channel.values)
_STATE = CallRequest.State
#: State of a call -> the figure that it is counted in; every other state is ``waiting``.
OUTCOMES: dict[str, list[str]] = {
    "answered": [_STATE.ANSWERED, _STATE.DELIVERED],
    "unanswered": [_STATE.NO_ANSWER, _STATE.BUSY, _STATE.CANCELED],
    "failed": [_STATE.FAILED, _STATE.NOT_DELIVERED],
    "unknown": [_STATE.UNKNOWN],
    "refused": [_STATE.REFUSED],
}
#: Days without figures that one run makes up for.
FILL_AT_MOST = 31


@dataclass
class Counted:
    """A stretch of time by channel, by channel and hour (0 to 23), by channel and prefix."""

    days: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    hours: dict[tuple[str, int], Figures] = field(default_factory=lambda: defaultdict(Figures))
    prefixes: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))

    def rows(self, channel: str, hour: int, prefix: str) -> list[Figures]:
        """The figures that a call or verification is counted in."""
        return [self.days[channel], self.hours[channel, hour], self.prefixes[channel, prefix]]


def count(day: date, begins: datetime | None = None, ends: datetime | None = None) -> Counted:
    """Count a provider's day, or the part of it from ``begins`` to before ``ends`` (aware). Four
    queries.
    """
    first, last = day_bounds(day)
    stretch = _Stretch(day, for_field(begins or first), for_field(ends or last))
    counted = Counted()
    for row in stretch.calls():
        hour, prefix, channel = row.pop("hour"), row.pop("prefix"), row.pop("channel")
        # SQLite adds up in binary.
        row["cost"] = Decimal(str(row["cost"] or 0)).quantize(Decimal("0.0001"))
        row["waiting"] = row["calls"] - sum(row[name] for name in OUTCOMES if name != "refused")
        for figures in (*counted.rows(channel, hour, prefix), *counted.rows(ALL, hour, prefix)):
            figures.add(**row)
    for row in stretch.verifications():
        for figures in counted.rows(ALL, row.pop("hour"), row.pop("prefix")):
            figures.add(**row)
    for row in stretch.tried():
        for figures in counted.rows(row["channel"], row["hour"], row["prefix"]):
            figures.add(started=row["started"])
    for channel, hour, prefix, seconds, approvals in stretch.approvals():
        for figures in counted.rows(channel, hour, prefix):
            figures.add(approved=approvals)
            figures.add_seconds(seconds, approvals)
        for figures in counted.rows(ALL, hour, prefix):
            figures.add_seconds(seconds, approvals)
    return counted


def refresh_figures(day: date) -> bool:
    """Count a provider's day anew and keep it. False where calls of it may have been purged: what
    was kept stays.
    """
    if _is_purged(day):
        return False
    began = timezone.now()
    counted = count(day)
    weekday = day.weekday()
    days = [
        DayFigures(date=day, channel=channel, counted_at=began, **asdict(counted.days[channel]))
        for channel in sorted({ALL, *counted.days})
    ]
    hours = [
        HourFigures(date=day, channel=channel, hour=hour, weekday=weekday, **asdict(figures))
        for (channel, hour), figures in counted.hours.items()
    ]
    prefixes = [
        PrefixFigures(date=day, channel=channel, prefix=prefix, **asdict(figures))
        for (channel, prefix), figures in counted.prefixes.items()
    ]
    with transaction.atomic(using=router.db_for_write(DayFigures)):
        # Not held while it counts: a web request would wait for that on SQLite.
        limits.lock(f"figures:{day.isoformat()}")
        kept = DayFigures.objects.filter(channel=ALL, date=day).first()
        if kept is not None and kept.counted_at > began:
            return True
        for model, rows in ((DayFigures, days), (HourFigures, hours), (PrefixFigures, prefixes)):
            manager: Any = model._default_manager
            manager.filter(channel__in=CHANNELS, date=day).delete()
            manager.bulk_create(rows, batch_size=500)
    return True


def fill_figures(today: date | None = None) -> list[date]:
    """Count the days before ``today`` that have no figures, newest first, at most FILL_AT_MOST of
    them; which they are.
    """
    today = today or provider_today()
    oldest = CallRequest.objects.aggregate(oldest=Min("created_at"))["oldest"]
    if oldest is None:
        return []
    aware = oldest if timezone.is_aware(oldest) else timezone.make_aware(oldest)
    begins = provider_today(aware)
    there = set(
        DayFigures.objects.filter(channel=ALL, date__gte=begins, date__lt=today).values_list(
            "date", flat=True
        )
    )
    lacking = (today - timedelta(days=ago) for ago in range(1, (today - begins).days + 1))
    due = [day for day in lacking if day not in there and not _is_purged(day)][:FILL_AT_MOST]
    for day in due:
        refresh_figures(day)
    return due


class _Stretch:
    """The queries of one stretch of a day, their rows by column; every bound in them is a constant."""

    def __init__(self, day: date, begins: datetime, ends: datetime) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        self._day = day
        self._bounds = {"gte": begins, "lt": ends}
        self._test_numbers = [phones.normalize(number) for number in settings.TEST_NUMBERS]

    def calls(self) -> Any:
        outcomes = {
            name: Count("pk", filter=Q(state__in=states)) for name, states in OUTCOMES.items()
        }
        return (
            self._sent(CallRequest.objects.filter(**self._within("created_at")))
            .values("channel", hour=self._hour("created_at"), prefix=_prefix("phone"))
            .annotate(
                calls=Count("pk", filter=~Q(state=_STATE.REFUSED)), cost=Sum("price"), **outcomes
            )
            .order_by()
        )

    def verifications(self) -> Any:
        return (
            Verification.objects.filter(**self._within("created_at"))
            .exclude(phone__in=self._test_numbers)
            .values(hour=self._hour("created_at"), prefix=_prefix("phone"))
            .annotate(
                started=Count("pk"),
                approved=Count("pk", filter=Q(status=Verification.Status.APPROVED)),
            )
            .order_by()
        )

    def tried(self) -> Any:
        """Verifications that used a channel."""
        return (
            self._of_verifications()
            .exclude(state=_STATE.REFUSED)
            .values("channel", hour=self._hour("verification__created_at"), prefix=_prefix("phone"))
            .annotate(started=Count("verification_id", distinct=True))
            .order_by()
        )

    def approvals(self) -> Iterable[tuple[Any, ...]]:
        """Approved verifications by the last call before the code, and the seconds from the one to
        the other.
        """
        sent = Q(created_at__lte=F("verification__approved_at")) & ~Q(
            state__in=CallRequest.UNSENT_STATES
        )
        later = CallRequest.objects.filter(
            sent, verification=OuterRef("verification"), id__gt=OuterRef("id")
        )
        seconds = _Seconds(F("verification__approved_at"), Coalesce("placed_at", "created_at"))
        return (
            self._of_verifications()
            .filter(sent, ~Exists(later), verification__status=Verification.Status.APPROVED)
            .values_list(
                "channel",
                self._hour("verification__created_at"),
                _prefix("phone"),
                seconds,
                Count("pk"),
            )
            .order_by()
            .iterator(chunk_size=2000)
        )

    def _of_verifications(self) -> QuerySet[CallRequest]:
        return self._sent(CallRequest.objects.filter(**self._within("verification__created_at")))

    def _sent(self, calls: QuerySet[CallRequest]) -> QuerySet[CallRequest]:
        return calls.exclude(state=_STATE.QUEUED).exclude(service=CallRequest.TEST_SERVICE)

    def _within(self, name: str) -> dict[str, datetime]:
        return {f"{name}__{bound}": moment for bound, moment in self._bounds.items()}

    def _hour(self, name: str) -> Expression:
        """The hour on the provider's clock, by comparing with 23 constants: no function of a
        database knows its zone.
        """
        begins = [
            for_field(datetime.combine(self._day, time(hour), self._zone)) for hour in range(1, 24)
        ]
        cases = [
            When(**{f"{name}__lt": moment}, then=Value(hour)) for hour, moment in enumerate(begins)
        ]
        return Case(*cases, default=Value(23), output_field=IntegerField())


class _Seconds(Func):
    """Whole seconds from the second moment to the first, reckoned by the database itself."""

    output_field = IntegerField()
    arity = 2

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(strftime('%%s', {}) AS INTEGER) - CAST(strftime('%%s', {}) AS INTEGER)"
        return self._between(compiler, template)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self._between(compiler, "CAST(FLOOR(EXTRACT(EPOCH FROM ({} - {}))) AS integer)")

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self._between(compiler, "-TIMESTAMPDIFF(SECOND, {}, {})")

    def _between(self, compiler: Any, template: str) -> tuple[str, list[Any]]:
        (later, first), (earlier, second) = map(compiler.compile, self.source_expressions)
        return template.format(later, earlier), [*first, *second]


def _prefix(name: str) -> Expression:
    """Country code and area code: four digits in Russia and Kazakhstan (``7999``), five elsewhere."""
    return Case(
        When(**{f"{name}__startswith": "7"}, then=Substr(name, 1, 4)), default=Substr(name, 1, 5)
    )


def _is_purged(day: date) -> bool:
    days = settings.RETENTION_DAYS
    if days is None or settings.RETENTION != "delete":
        return False
    return day_bounds(day)[0] < timezone.now() - timedelta(days=days)
