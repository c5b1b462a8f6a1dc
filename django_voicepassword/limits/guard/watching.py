"""The watch: counts what failed in the last hour, beside the request's path."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db.models import Q

from django_voicepassword import phones, signals
from django_voicepassword.conf import settings
from django_voicepassword.limits import alarms
from django_voicepassword.limits.counters import database
from django_voicepassword.limits.guard import control, covered, history, trips, windows
from django_voicepassword.limits.guard import state as states
from django_voicepassword.limits.guard.control import Control
from django_voicepassword.limits.guard.state import State
from django_voicepassword.limits.guard.subjects import SITE, Subject
from django_voicepassword.limits.guard.thresholds import guess_floor, is_suspicious
from django_voicepassword.limits.guard.windows import WINDOW, Tally
from django_voicepassword.limits.rates import to_milliseconds
from django_voicepassword.models import CallRequest, FraudTrip

logger = logging.getLogger(__name__)

_SENDS, _GUESSES = FraudTrip.Cause.SENDS, FraudTrip.Cause.GUESSES
#: How long an outage is remembered, until its hours are left out of what is usual.
_OUTAGE_KEPT = 86_400_000


def watch(now: datetime) -> None:
    """Look at the last hour: trip what is suspected, end what is over.

    Beat runs it every 15 seconds. It keeps nothing in memory, so that it can run anywhere, and
    twice at once.
    """
    if settings.FRAUD_GUARD == "off":
        return
    states.note_watch(now)
    state = history.update(states.load(), now)
    groups = control.count(now)
    state = _note_outages(state, groups, now)
    hour = LastHour(now, state, groups)
    states.store(
        replace(
            state,
            factor=hour.control.factor(state.usual.proven),
            has_control=hour.control.exists,
        )
    )
    for trip in hour.open_trips:
        _judge_trip(hour, trip)
    _judge_sends(hour)
    _judge_guesses(hour)


class LastHour:
    """What the guard knows of the last hour before ``now``."""

    def __init__(self, now: datetime, state: State, groups: Mapping[str, Control]) -> None:
        self.now = now
        self.state = state
        self.groups = groups
        self.control = control.total(groups, without=state.outages)
        self.tallies = windows.tally(now - WINDOW, now, state.is_outage)
        recent = Q(ended_at__isnull=True) | Q(ended_at__gt=now - WINDOW)
        rows = list(FraudTrip.objects.filter(recent).order_by("ended_at", "id"))
        self.open_trips = [trip for trip in rows if trip.ended_at is None]
        self._open = {(trip.kind, trip.subject, trip.cause) for trip in self.open_trips}
        self._ended = {
            (trip.kind, trip.subject, trip.cause): trip.ended_at
            for trip in rows
            if trip.ended_at is not None
        }
        self._later: dict[datetime, dict[Subject, Tally]] = {}

    def is_open(self, subject: Subject, cause: str) -> bool:
        return (*subject, cause) in self._open

    def since(self, subject: Subject, cause: str) -> datetime:
        """Return since when failures count: what an ended trip covered counts no more."""
        return self._ended.get((*subject, cause)) or self.now - WINDOW

    def tally(self, subject: Subject) -> Tally:
        """Return the sends of a subject that count."""
        ended_at = self._ended.get((*subject, _SENDS))
        if ended_at is None:
            return self.tallies[subject]
        if ended_at not in self._later:
            self._later[ended_at] = windows.tally(ended_at, self.now, self.state.is_outage)
        return self._later[ended_at][subject]

    def control_of(self, subject: Subject) -> Control:
        """Return the control group of a subject; of an operator prefix it is that operator's."""
        kind, text = subject
        if kind != FraudTrip.Kind.PREFIX:
            return self.control
        return self.groups.get(text, Control())

    def usual(self, subject: Subject) -> float:
        """Return the conversion that a subject is judged by. It is 0.0 where nothing trips."""
        group = self.control_of(subject)
        group = group if group.exists else self.control
        return self.state.usual.unproven * group.factor(self.state.usual.proven)


def _judge_sends(hour: LastHour) -> None:
    """Trip the operator prefixes, the networks and the site by their open sends."""
    floor = settings.FRAUD_FLOOR
    # A list: ``LastHour.tally`` may add to the dict.
    for subject, whole in list(hour.tallies.items()):
        if whole.open < floor or hour.is_open(subject, _SENDS):
            continue
        tally, usual = hour.tally(subject), hour.usual(subject)
        failures = tally.failures(hour.control_of(subject).exists)
        sends = tally.approved + failures
        if is_suspicious(failures, sends, floor, usual):
            conversion = tally.approved / sends
            trips.trip(*subject, _SENDS, hour.now, failures, floor, conversion, usual)


def _judge_guesses(hour: LastHour) -> None:
    """Trip the site by wrong guesses. No outage excuses them: nobody types wrong codes for calls
    that do not come.
    """
    # The right guesses are among the attempts, but of that many the wrong ones are too few.
    site = hour.tallies[SITE]
    may_trip = site.attempts - site.approved >= settings.FRAUD_FLOOR
    if hour.is_open(SITE, _GUESSES) or not may_trip:
        return
    guesses = windows.guesses(hour.since(SITE, _GUESSES), hour.now)
    usual = hour.state.usual
    threshold = guess_floor(usual.wrong, usual.wrong_an_hour, guesses.approved)
    if guesses.wrong >= threshold:
        sends = site.approved + site.open
        conversion = site.approved / sends if sends else None
        trips.trip(*SITE, _GUESSES, hour.now, guesses.wrong, threshold, conversion, usual.unproven)


def _judge_trip(hour: LastHour, trip: FraudTrip) -> None:
    """End a trip that is over, or note since when it is quiet."""
    now = hour.now
    if _failures(hour, trip) >= trip.threshold:
        trips.set_quiet(trip, None)
    elif trip.quiet_since is None or trip.quiet_since > now:
        trips.set_quiet(trip, now)
    elif now - trip.quiet_since >= covered.CALM:
        trips.end(trip, FraudTrip.End.CALM, now)
        return
    if _may_convert(hour, trip) and covered.converts_again(trip, hour.state.usual, now):
        trips.end(trip, FraudTrip.End.CONVERSION, now)


def _may_convert(hour: LastHour, trip: FraudTrip) -> bool:
    """Return whether a closer look can end a trip early: it takes two more SELECTs.

    A trip by wrong guesses does not end early: its conversion is not what tripped it.
    """
    if trip.cause != _SENDS or trip.kind == FraudTrip.Kind.BLOCK:
        return trip.cause == _SENDS
    return hour.tallies[covered.subject_of(trip)].approved >= covered.enough(hour.state.usual)


def _failures(hour: LastHour, trip: FraudTrip) -> int:
    """Return the failures of the last hour under a trip, up to its threshold."""
    subject = covered.subject_of(trip)
    has_control = hour.control_of(subject).exists
    if trip.cause == _GUESSES:
        failures = windows.guesses(hour.now - WINDOW, hour.now).wrong
    elif trip.kind != FraudTrip.Kind.BLOCK:
        failures = hour.tallies[subject].failures(has_control)
    elif hour.state.is_outage(phones.operator_prefix(trip.subject)):
        failures = 0
    else:
        failures = covered.sends_of_block(trip, hour.now, has_control)
    missing = trip.threshold - failures
    return failures if missing <= 0 else failures + covered.refusals(trip, hour.now, missing)


def _note_outages(state: State, groups: Mapping[str, Control], now: datetime) -> State:
    """Return the state with the outages of now; whoever finds a new one tells it."""
    failing = control.failing(groups, state.usual.proven, state.outages)
    moment = to_milliseconds(now)
    ended = {prefix: begun for prefix, begun in state.outages.items() if prefix not in failing}
    # Not those of ``ended`` alone: of two watches at once, one may have overwritten the state.
    alarms.clear_alarms_but("outage", failing)
    for prefix in ended:
        logger.info("calls arrive again: operator %s", prefix or "all")
    for prefix, group in failing.items():
        if prefix not in state.outages and alarms.raise_alarm(f"outage:{prefix}"):
            _tell_outage(prefix, group)
    past = [[begun, moment] for begun in ended.values()] + state.past_outages
    return replace(
        state,
        outages={prefix: state.outages.get(prefix, moment) for prefix in failing},
        past_outages=[outage for outage in past if outage[1] > moment - _OUTAGE_KEPT],
    )


def _tell_outage(prefix: str, group: Control) -> None:
    channel = next(iter(group.channels)) if len(group.channels) == 1 else ""
    conversion = group.conversion
    logger.error(
        "calls seem not to arrive, for people on trusted devices too: operator %s, channel %s",
        prefix or "all",
        channel or "all",
    )
    signals.announce(
        signals.outage_suspected,
        CallRequest,
        database(),
        prefix=prefix,
        channel=channel,
        conversion=conversion,
    )
