"""The days of the history as streams of visits: the same seed and the same ``now`` tell the same
story.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from demo_data import rhythm
from demo_data.calls import Provider
from demo_data.people import Crowd
from demo_data.reports import YOUNG, synced
from demo_data.rhythm import Day
from demo_data.visits import Visit, Visits
from django_voicepassword.conf import settings

#: How much of what happens is a call of another system that uses the account: two calls of a
#: hundred.
IMPORTED = 0.0225
#: So many calls for one of the people who were there before.
REGULARS = 100
#: Calls of the last minutes, whatever the hour: of few calls ten, of many one every few seconds.
FEWEST_FRESH, MOST_FRESH, FRESH = 10, 32, 0.0002
#: So long a fresh call rings that somebody asked for its state meanwhile.
RINGS_LONG = 50


class History:
    """``calls`` in ``count`` days up to ``now``. ``last_id``: the provider's ids begin behind it."""

    def __init__(self, calls: int, count: int, now: datetime, seed: int, last_id: int) -> None:
        zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        self._chance = random.Random(seed)
        self.now = now
        self._fresh = min(max(int(calls * FRESH), FEWEST_FRESH), MOST_FRESH)
        self.days = rhythm.plan(calls - self._fresh, count, now, zone, self._chance)
        self.luck = rhythm.bad_luck(self.days)
        provider = Provider(self._chance, now, zone, self.luck, last_id)
        self._visits = Visits(
            self._chance, now, Crowd(self._chance, calls // REGULARS + 1), provider
        )

    def visits(self, day: Day) -> Iterator[Visit]:
        """The visits of a day, hour by hour, in the order in which they begin."""
        for number, calls in enumerate(day.hours):
            begins = day.begins + timedelta(hours=number)
            # Its last second is left out: what the provider dates must be of the same day.
            ends = min(begins + timedelta(hours=1, seconds=-1), self.now)
            yield from sorted(
                self._hour(begins, ends, day.ends, calls),
                key=lambda visit: visit.calls[0].call.created_at,
            )
        if day is self.days[-1]:
            yield from self._of_now(day)

    def _hour(
        self, begins: datetime, ends: datetime, day_ends: datetime, calls: int
    ) -> Iterator[Visit]:
        while calls > 0:
            at = begins + (ends - begins) * self._chance.random()
            if self._chance.random() < IMPORTED and self._is_listed(at):
                visit = self._visits.imported(at)
            else:
                visit = self._visits.visit(at, day_ends - timedelta(seconds=1), calls)
            calls -= len(visit.calls)
            yield visit

    def _is_listed(self, at: datetime) -> bool:
        """Can another system have called then, and do we know of it?"""
        return at not in self.luck.no_money and synced(at + YOUNG) <= self.now

    def _of_now(self, day: Day) -> Iterator[Visit]:
        """One just now, and the further back the rarer: queued, placed, dialing, ended."""
        for number in reversed(range(self._fresh)):
            age = timedelta(seconds=max(number * (number + 1) / 2 - 1, 0.01))
            at = max(self.now - age, day.begins)
            yield self._visits.visit(at, self.now, 1, RINGS_LONG if number % 2 else 0)
