"""What the admin's page about protection shows: how near everything is to its threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q
from django.db.models.functions import Length, Substr

from django_voicepassword.conf import settings
from django_voicepassword.limits.guard import covered, windows
from django_voicepassword.limits.guard import state as states
from django_voicepassword.limits.guard.state import State
from django_voicepassword.limits.guard.subjects import SITE, Subject
from django_voicepassword.limits.guard.thresholds import (
    SUSPICIOUS_PART,
    block_floor,
    guess_floor,
)
from django_voicepassword.limits.guard.windows import APPROVED, WINDOW, Tally
from django_voicepassword.models import FraudTrip, LimitCounter

#: How many subjects of a kind are shown, those with the most failures.
MOST_SUBJECTS = 5
#: How many open trips are shown, the newest, and how many that have ended.
MOST_OPEN, RECENT_TRIPS = 100, 20
_SENDS, _GUESSES = FraudTrip.Cause.SENDS, FraudTrip.Cause.GUESSES


@dataclass(frozen=True)
class Gauge:
    """What is counted for one subject in the last hour.

    It trips at ``threshold`` failures with a ``conversion`` under ``trips_under`` (both shares from
    0 to 1, or None: the threshold alone decides, or there was no send).
    """

    kind: str
    subject: str
    cause: str
    failures: int
    threshold: int
    conversion: float | None
    trips_under: float | None


@dataclass(frozen=True)
class Figures:
    """All that the guard can say of itself.

    ``usual`` is the usual conversion of the unproven lane, ``has_history`` says whether this site
    taught it. ``outages`` are operator prefixes, "" for all. ``watched_at`` is None where no watch
    has run. ``would_step_up`` tells of each trip in ``audit``, by primary key, how many sends it
    covered: with ``enforce`` these would have needed a challenge or a long code.
    """

    gauges: list[Gauge]
    open_trips: list[FraudTrip]
    recent_trips: list[FraudTrip]
    would_step_up: dict[int, int]
    usual: float
    has_history: bool
    outages: list[str]
    watched_at: datetime | None


def figures(now: datetime) -> Figures:
    """Return what the guard counts now, and its trips. It takes about ten SELECTs."""
    state = states.load()
    open_trips = list(FraudTrip.objects.filter(ended_at__isnull=True)[:MOST_OPEN])
    ended = FraudTrip.objects.filter(ended_at__isnull=False).order_by("-ended_at", "-id")
    recent_trips = list(ended[:RECENT_TRIPS])
    watched = LimitCounter.objects.filter(key=states.KEY).values_list("updated_at", flat=True)
    return Figures(
        gauges=_gauges(state, now),
        open_trips=open_trips,
        recent_trips=recent_trips,
        would_step_up={
            trip.pk: _covered_sends(trip, now)
            for trip in [*open_trips, *recent_trips]
            if trip.mode == FraudTrip.Mode.AUDIT
        },
        usual=state.usual.unproven,
        has_history=state.usual.has_history,
        outages=sorted(state.outages),
        watched_at=watched.first(),
    )


def _gauges(state: State, now: datetime) -> list[Gauge]:
    """Return the site and the subjects with the most failures, the widest first."""
    usual = state.usual
    trips_under = usual.unproven * state.factor * SUSPICIOUS_PART
    tallies = windows.tally(now - WINDOW, now, state.is_outage)
    tallies.setdefault(SITE, Tally())
    by_kind: dict[str, list[tuple[Subject, Tally]]] = defaultdict(list)
    for subject, tally in tallies.items():
        by_kind[subject[0]].append((subject, tally))
    by_kind[FraudTrip.Kind.BLOCK] = list(_blocks(now))
    gauges = []
    for kind in reversed(FraudTrip.Kind.values):
        floor = block_floor() if kind == FraudTrip.Kind.BLOCK else settings.FRAUD_FLOOR
        for subject, tally in _most_failures(by_kind[kind], state.has_control):
            failures = tally.failures(state.has_control)
            conversion = _share(tally.approved, tally.approved + failures)
            gauges.append(Gauge(*subject, _SENDS, failures, floor, conversion, trips_under))
    typed = windows.guesses(now - WINDOW, now)
    threshold = guess_floor(usual.wrong, usual.wrong_an_hour, typed.approved)
    return [Gauge(*SITE, _GUESSES, typed.wrong, threshold, None, None), *gauges]


def _most_failures(
    tallies: Iterable[tuple[Subject, Tally]], has_control: bool
) -> list[tuple[Subject, Tally]]:
    """Return the subjects with the most failures, and the site in any case."""
    failing = [
        (subject, tally)
        for subject, tally in tallies
        if tally.failures(has_control) or subject == SITE
    ]
    failing.sort(key=lambda one: (-one[1].failures(has_control), one[0]))
    return failing[:MOST_SUBJECTS]


def _blocks(now: datetime) -> Iterable[tuple[Subject, Tally]]:
    """Yield the blocks with the most open sends in the last hour."""
    calls = windows.unproven(now - WINDOW, now).annotate(
        block=Substr("phone", 1, Length("phone") - 4)
    )
    counted = calls.values_list("block").annotate(
        approved=Count("id", filter=APPROVED),
        open=Count("id", filter=Q(is_open=True)),
        taken=Count("id", filter=Q(is_open=True, state__in=sorted(windows.TAKEN))),
    )
    for block, approved, is_open, taken in counted.order_by(F("open").desc())[:MOST_SUBJECTS]:
        yield (FraudTrip.Kind.BLOCK, block), Tally(approved, is_open, taken)


def _covered_sends(trip: FraudTrip, now: datetime) -> int:
    """Return how many unproven sends a trip has covered."""
    calls = windows.unproven(trip.tripped_at, now, until=trip.ended_at)
    return covered.of_trip(calls, trip).count()


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
