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
from django_voicepassword.provider.dates import day_bounds, for_field
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


@dataclass
class Counted:
    """Figures by channel, by channel and hour (0 to 23), and by channel and prefix."""

    days: dict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    hours: dict[tuple[str, int], Figures] = field(default_factory=lambda: defaultdict(Figures))
    prefixes: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))

    def figures_of(self, group: Group) -> list[Figures]:
        """Return the three figures that count a call or verification of ``group``."""
        return [
            self.days[group.channel],
            self.hours[group.channel, group.hour],
            self.prefixes[group.channel, group.prefix],
        ]


@dataclass(frozen=True)
class Group:
    """Calls or verifications that the database counts together."""

    channel: str
    hour: int
    prefix: str

    @property
    def of_all_channels(self) -> Group:
        return Group(ALL, self.hour, self.prefix)


def count(day: date, begins: datetime | None = None, ends: datetime | None = None) -> Counted:
    """Count a day in PROVIDER_TIME_ZONE, or its part from ``begins`` until before ``ends`` (aware).

    It takes four queries.
    """
    first, last = day_bounds(day)
    queries = _Queries(day, for_field(begins or first), for_field(ends or last))
    counted = Counted()
    for group, counts in queries.calls():
        for figures in counted.figures_of(group) + counted.figures_of(group.of_all_channels):
            figures.add(**counts)
    for group, started, approved in queries.verifications():
        for figures in counted.figures_of(group):
            figures.add(started=started, approved=approved)
    for group, started in queries.verifications_by_channel():
        for figures in counted.figures_of(group):
            figures.add(started=started)
    for group, seconds, approved in queries.approvals():
        for figures in counted.figures_of(group):
            figures.add(approved=approved)
            figures.add_seconds(seconds, approved)
        for figures in counted.figures_of(group.of_all_channels):
            figures.add_seconds(seconds, approved)
    return counted


class _Queries:
    """The queries that count one day or a part of it.

    All bounds are computed in Python, because a database need not know PROVIDER_TIME_ZONE.
    """

    def __init__(self, day: date, begins: datetime, ends: datetime) -> None:
        self._zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
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
        """Return the hour of the field ``name`` in PROVIDER_TIME_ZONE.

        It compares with the beginnings of 23 hours, because the databases' own functions would
        need to know the time zone.
        """
        begins = [
            for_field(datetime.combine(self._day, time(hour), self._zone)) for hour in range(1, 24)
        ]
        cases = [
            When(**{f"{name}__lt": moment}, then=Value(hour)) for hour, moment in enumerate(begins)
        ]
        return Case(*cases, default=Value(23), output_field=IntegerField())


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


def _prefix(name: str) -> Expression:
    """Return ``phones.operator_prefix`` of the field ``name``, in SQL."""
    return Case(
        When(**{f"{name}__startswith": "7"}, then=Substr(name, 1, 4)), default=Substr(name, 1, 5)
    )
