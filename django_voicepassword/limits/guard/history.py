"""What is usual: hours of the last 30 days, added up by day in one small row.

Hours under a trip or an outage are left out, and so are hours that look unusual although nothing
tripped. Otherwise an attacker who stays just under the thresholds would raise them day by day.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta, timezone

from django.conf import settings as django_settings
from django.db.models import Count, Q
from django.utils import timezone as django_timezone

from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import database, lock_rows, write_rows
from django_voicepassword.limits.guard.state import State, Usual
from django_voicepassword.limits.guard.windows import APPROVED, guesses, own_sends
from django_voicepassword.limits.rates import to_milliseconds
from django_voicepassword.models import CallRequest, FraudTrip
from django_voicepassword.transactions import atomic_with_retry

#: The counter that holds the days.
KEY = "guard:history"
DAYS = 30
_INSTANT = timedelta(microseconds=1)
_HOUR, _DAY = 3_600_000, 86_400_000
#: The hours that one watch adds at most.
MOST_HOURS = 24
#: With fewer unproven sends there is no history.
LEAST_SENDS = 100
#: An hour with fewer sends, or fewer wrong guesses, is not judged.
JUDGED_FROM = 10
#: An hour is left out where its conversion is under this part of the usual one, or where it has
#: more than so many times the usual wrong guesses for each approval.
UNUSUAL_PART, UNUSUAL_TIMES = 1 / 2, 2


@dataclass(frozen=True)
class Hours:
    """The sums of some hours."""

    hours: int = 0
    sends: int = 0
    approved: int = 0
    wrong: int = 0
    guessed: int = 0
    proven: int = 0
    proven_approved: int = 0

    def __add__(self, other: Hours) -> Hours:
        return Hours(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def usual(self) -> Usual:
        """Return what these hours say is usual."""
        if self.sends < LEAST_SENDS:
            return Usual()
        first = Usual()
        has_control = self.proven >= LEAST_SENDS
        return Usual(
            has_history=True,
            unproven=self.approved / self.sends,
            proven=self.proven_approved / self.proven if has_control else first.proven,
            wrong=self.wrong / self.guessed if self.guessed >= LEAST_SENDS else first.wrong,
            wrong_an_hour=self.wrong / self.hours,
        )

    def is_unusual(self, usual: Usual) -> bool:
        """Return whether this hour differs from the usual so much that it is left out."""
        if not usual.has_history:
            return False
        fails = self.sends >= JUDGED_FROM and (
            self.approved < usual.unproven * UNUSUAL_PART * self.sends
        )
        guesses_much = self.wrong >= JUDGED_FROM and (
            self.wrong > usual.wrong * UNUSUAL_TIMES * self.guessed
        )
        return fails or guesses_much


def update(state: State, now: datetime) -> State:
    """Add the hours that are over, and return the state with what is usual now.

    An hour is over once its last verification can be approved no more.
    """
    moment = to_milliseconds(now)
    last = (moment - settings.CODE_TTL * 1000) // _HOUR * _HOUR
    begin = state.closed_until or _first_hour(moment, last)
    if begin >= last and state.closed_until:
        return state
    end = min(last, begin + MOST_HOURS * _HOUR)
    begin = max(begin, moment // _HOUR * _HOUR - DAYS * _DAY)
    closed = [
        (start, hour)
        for start in range(begin, end, _HOUR)
        if (hour := _count(start, state, now)) is not None and not hour.is_unusual(state.usual)
    ]
    until = max(begin, end)
    return replace(state, closed_until=until, usual=_add(closed, until, now).usual())


def _first_hour(moment: int, last: int) -> int:
    """Return the hour of the first send in 30 days, or the hour that is not over yet."""
    since = _at(moment - DAYS * _DAY)
    calls = CallRequest.objects.filter(created_at__gte=since, origin=CallRequest.Origin.APP)
    first = calls.order_by("created_at", "id").values_list("created_at", flat=True).first()
    return last if first is None else to_milliseconds(first) // _HOUR * _HOUR


def _add(closed: list[tuple[int, Hours]], until: int, now: datetime) -> Hours:
    """Add hours to the row; return the sums of the last 30 days.

    The row knows ``until`` when it has counted. Several watches may run at once, and each hour
    counts once.
    """
    oldest = to_milliseconds(now) - DAYS * _DAY

    def add() -> Hours:
        events, amount = lock_rows([KEY], now)[KEY]
        days = {entry[0]: Hours(*entry[1:]) for entry in events.get("days", [])}
        counted = events.get("until", [[0]])[0][0]
        for start, hour in closed:
            if start < counted:
                continue
            day = start // _DAY * _DAY
            days[day] = days.get(day, Hours()) + hour
        kept = {day: sums for day, sums in sorted(days.items()) if day + _DAY > oldest}
        values = {
            "days": [[day, *astuple(hours)] for day, hours in kept.items()],
            "until": [[max(until, counted)]],
        }
        write_rows([(KEY, values, amount)], now)
        return sum(kept.values(), Hours())

    return atomic_with_retry(add, database())


def _count(start: int, state: State, now: datetime) -> Hours | None:
    """Count one hour; None where a trip or an outage falls into it."""
    # A window begins after its first moment.
    since, until = _at(start) - _INSTANT, _at(start + _HOUR) - _INSTANT
    proven = Q(lane=CallRequest.Lane.PROVEN)
    sent = ~proven & ~Q(state=CallRequest.State.REFUSED, is_open=False)
    counted = own_sends(since, now, until).aggregate(
        sends=Count("id", filter=sent),
        approved=Count("id", filter=~proven & APPROVED),
        proven=Count("phone", distinct=True, filter=proven),
        proven_approved=Count("phone", distinct=True, filter=proven & APPROVED),
    )
    if not any(counted.values()):
        return Hours(hours=1)
    outages = [*state.past_outages, *([begun, start + _HOUR] for begun in state.outages.values())]
    if any(begun < start + _HOUR and ended > start for begun, ended in outages):
        return None
    lasts = Q(ended_at__isnull=True) | Q(ended_at__gt=since)
    if FraudTrip.objects.filter(lasts, tripped_at__lt=until).exists():
        return None
    typed = guesses(since, now, until)
    return Hours(hours=1, wrong=typed.wrong, guessed=typed.approved, **counted)


def _at(milliseconds: int) -> datetime:
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    if django_settings.USE_TZ:
        return moment
    return django_timezone.make_naive(moment, django_timezone.get_default_timezone())
