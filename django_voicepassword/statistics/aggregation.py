"""Count calls and verifications by channel, by hour and by prefix, from their own rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    Case,
    Count,
    Exists,
    Expression,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Substr
from django.db.models.sql.compiler import SQLCompiler

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.provider.dates import for_field
from django_voicepassword.statistics.figures import Figures, exact_money

#: The channel of figures that cover all channels together.
ALL = ""
CHANNELS = (ALL, *CallRequest.Channel.values)
_STATE = CallRequest.State
#: Figure -> the states of the calls that it counts. ``waiting`` counts all other states.
OUTCOMES: dict[str, list[str]] = {
    "answered": [_STATE.ANSWERED, _STATE.DELIVERED],
    "unanswered": [_STATE.NO_ANSWER, _STATE.BUSY, _STATE.CANCELED],
    "failed": [_STATE.FAILED, _STATE.NOT_DELIVERED],
    "unknown": [_STATE.UNKNOWN],
    "refused": [_STATE.REFUSED],
}


@dataclass(frozen=True)
class Group:
    """Calls or verifications that the database counts together."""

    channel: str
    hour: int
    prefix: str

    @property
    def of_all_channels(self) -> Group:
        return Group(ALL, self.hour, self.prefix)


@dataclass
class Counted:
    """Figures by channel, by channel and hour (0 to 23), and by channel and prefix.

    They are sums of the ``groups``.
    """

    groups: dict[Group, Figures] = field(default_factory=dict)
    days: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    hours: dict[tuple[str, int], Figures] = field(default_factory=lambda: defaultdict(Figures))
    prefixes: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))

    def add_up(self) -> Counted:
        """Compute the sums of the groups."""
        for group, figures in self.groups.items():
            self.days[group.channel].include(figures)
            self.hours[group.channel, group.hour].include(figures)
            self.prefixes[group.channel, group.prefix].include(figures)
        return self


def count(day: date, begins: datetime | None = None, ends: datetime | None = None) -> Counted:
    """Count a day in PROVIDER_TIME_ZONE, or its part from ``begins`` until before ``ends`` (aware).

    It takes four queries.
    """
    first, last = day_bounds(day)
    return Counted(count_groups(day, begins or first, ends or last)).add_up()


def count_groups(day: date, begins: datetime, ends: datetime) -> dict[Group, Figures]:
    """Return the figures of the groups of a part of a day, which no two parts have in common."""
    queries = _Queries(day, for_field(begins), for_field(ends))
    groups: dict[Group, Figures] = defaultdict(Figures)
    for group, counts in queries.calls():
        groups[group].add(**counts)
        groups[group.of_all_channels].add(**counts)
    for group, started, approved in queries.verifications():
        groups[group].add(started=started, approved=approved)
    for group, started in queries.verifications_by_channel():
        groups[group].add(started=started)
    for group, seconds, approved in queries.approvals():
        groups[group].add(approved=approved)
        groups[group].add_seconds(seconds, approved)
        groups[group.of_all_channels].add_seconds(seconds, approved)
    return groups


def hour_begins(day: date, hour: int) -> datetime:
    """Return when an hour of a day in PROVIDER_TIME_ZONE begins, aware; hour 24 is its end."""
    if hour == 24:
        return day_bounds(day)[1]
    return datetime.combine(day, time(hour), ZoneInfo(settings.PROVIDER_TIME_ZONE))


def hours_of(day: date, rows: QuerySet[Any], name: str) -> set[int]:
    """Return the hours of the day in which the field ``name`` of some of the rows is."""
    begins, ends = (for_field(moment) for moment in day_bounds(day))
    found = rows.filter(**{f"{name}__gte": begins, f"{name}__lt": ends})
    return set(found.order_by().values_list(_hour(day, name), flat=True).distinct())


class _Queries:
    """The queries that count one day or a part of it.

    All bounds are computed in Python, because a database need not know PROVIDER_TIME_ZONE.
    """

    def __init__(self, day: date, begins: datetime, ends: datetime) -> None:
        self._day = day
        self._bounds = {"gte": begins, "lt": ends}
        self._test_numbers = [phones.normalize(number) for number in settings.TEST_NUMBERS]

    def calls(self) -> Iterator[tuple[Group, dict[str, int | Decimal]]]:
        """Calls by the time when they were created: their number, cost and outcomes."""
        outcomes = {
            name: Count("pk", filter=Q(state__in=states)) for name, states in OUTCOMES.items()
        }
        rows = (
            self._sent(CallRequest.objects.filter(**self._within("created_at")))
            .values_list("channel", self._hour("created_at"), _prefix("phone"))
            .annotate(
                calls=Count("pk", filter=~Q(state=_STATE.REFUSED)), cost=Sum("price"), **outcomes
            )
            .order_by()
        )
        for channel, hour, prefix, calls, cost, *numbers in rows:
            by_outcome = dict(zip(OUTCOMES, numbers, strict=True))
            # ``calls`` does not include the refused ones.
            waiting = calls - (sum(numbers) - by_outcome["refused"])
            money = exact_money(cost or 0)
            counts = {"calls": calls, "cost": money, "waiting": waiting, **by_outcome}
            yield Group(channel, hour, prefix), counts

    def verifications(self) -> Iterator[tuple[Group, int, int]]:
        """Verifications by the time when they were created: those started and those approved."""
        rows = (
            Verification.objects.filter(**self._within("created_at"))
            .exclude(phone__in=self._test_numbers)
            .values_list(self._hour("created_at"), _prefix("phone"))
            .annotate(
                started=Count("pk"),
                approved=Count("pk", filter=Q(status=Verification.Status.APPROVED)),
            )
            .order_by()
        )
        for hour, prefix, started, approved in rows:
            yield Group(ALL, hour, prefix), started, approved

    def verifications_by_channel(self) -> Iterator[tuple[Group, int]]:
        """Verifications that sent a call on a channel. One that used two counts for each."""
        rows = (
            self._calls_of_verifications()
            .exclude(state=_STATE.REFUSED)
            .values_list("channel", self._hour("verification__created_at"), _prefix("phone"))
            .annotate(started=Count("verification_id", distinct=True))
            .order_by()
        )
        for channel, hour, prefix, started in rows:
            yield Group(channel, hour, prefix), started

    def approvals(self) -> Iterator[tuple[Group, int, int]]:
        """Approvals by the last call before the code, and by the seconds from that call to it."""
        sent = Q(created_at__lte=F("verification__approved_at")) & ~Q(
            state__in=CallRequest.UNSENT_STATES
        )
        later = CallRequest.objects.filter(
            sent, verification=OuterRef("verification"), id__gt=OuterRef("id")
        )
        seconds = _SecondsBetween(
            F("verification__approved_at"), Coalesce("placed_at", "created_at")
        )
        rows = (
            self._calls_of_verifications()
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
        for channel, hour, prefix, elapsed, approved in rows:
            yield Group(channel, hour, prefix), elapsed, approved

    def _calls_of_verifications(self) -> QuerySet[CallRequest]:
        """The sent calls of verifications that were created in the time that is counted."""
        return self._sent(CallRequest.objects.filter(**self._within("verification__created_at")))

    def _sent(self, calls: QuerySet[CallRequest]) -> QuerySet[CallRequest]:
        """Leave out queued calls and those to test numbers."""
        return calls.exclude(state=_STATE.QUEUED).exclude(service=CallRequest.TEST_SERVICE)

    def _within(self, name: str) -> dict[str, datetime]:
        return {f"{name}__{bound}": moment for bound, moment in self._bounds.items()}

    def _hour(self, name: str) -> Expression:
        return _hour(self._day, name)


class _SecondsBetween(Func):
    """The whole seconds from the second argument until the first, computed by the database."""

    output_field = IntegerField()
    arity = 2

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> Any:
        template = "CAST(strftime('%%s', {}) AS INTEGER) - CAST(strftime('%%s', {}) AS INTEGER)"
        return self._as_sql_of(compiler, template)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        return self._as_sql_of(compiler, "CAST(FLOOR(EXTRACT(EPOCH FROM ({} - {}))) AS integer)")

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, list[Any]]:
        return self._as_sql_of(compiler, "-TIMESTAMPDIFF(SECOND, {}, {})")

    def _as_sql_of(self, compiler: SQLCompiler, template: str) -> tuple[str, list[Any]]:
        later, earlier = (compiler.compile(source) for source in self.source_expressions)
        return template.format(later[0], earlier[0]), [*later[1], *earlier[1]]


def _hour(day: date, name: str) -> Expression:
    """Return the hour of the field ``name`` in PROVIDER_TIME_ZONE.

    It compares with the beginnings of 23 hours, because the databases' own functions would need to
    know the time zone.
    """
    cases = [
        When(**{f"{name}__lt": for_field(hour_begins(day, hour + 1))}, then=Value(hour))
        for hour in range(23)
    ]
    return Case(*cases, default=Value(23), output_field=IntegerField())


def _prefix(name: str) -> Expression:
    """Return ``phones.operator_prefix`` of the field ``name``, in SQL."""
    return Case(
        When(**{f"{name}__startswith": "7"}, then=Substr(name, 1, 4)), default=Substr(name, 1, 5)
    )
