"""The history as a stream of visits for each day; the same seed and ``now`` give the same calls."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from demo_data import traffic_profile
from demo_data.calls import Provider
from demo_data.reports import FIRST_ID, IMPORTED_AFTER, next_sync
from demo_data.subscribers import Subscribers
from demo_data.traffic_profile import Day
from demo_data.visits import Visit, Visits
from django_voicepassword.conf import settings

#: The share of visits that are a call of another system on the account: two of a hundred calls.
IMPORTED = 0.0225
#: One known person for so many calls.
REGULARS = 100
#: Calls of the last minutes at any hour of the day: at least, at most, and their share.
FEWEST_FRESH, MOST_FRESH, FRESH = 10, 32, 0.0002
#: Seconds after which a worker has placed a call.
YOUNGEST = 2
#: Seconds for which a fresh call rings, so that a poll finds it dialing.
LONG_RING = 50


class History:
    """``calls`` in ``count`` days up to ``now``. ``last_id``: the newest id that is taken."""

    def __init__(self, calls: int, count: int, now: datetime, seed: int, last_id: int) -> None:
        zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
        self._rng = random.Random(seed)
        self.now = now
        self.is_first = last_id == FIRST_ID
        self._fresh = min(max(int(calls * FRESH), FEWEST_FRESH), MOST_FRESH)
        self.days = traffic_profile.plan(calls - self._fresh, count, now, zone, self._rng)
        self.incidents = traffic_profile.plan_incidents(self.days)
        provider = Provider(self._rng, now, zone, self.incidents, last_id)
        self._visits = Visits(
            self._rng, now, Subscribers(self._rng, calls // REGULARS + 1), provider
        )

    def visits(self, day: Day) -> Iterator[Visit]:
        """Yield the visits of a day in the order in which they begin."""
        for number, calls in enumerate(day.hours):
            begins = day.begins + timedelta(hours=number)
            # Without the last second: the provider's date must be of the same day.
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
            at = begins + (ends - begins) * self._rng.random()
            if self._rng.random() < IMPORTED and self._is_listed(at):
                visit = self._visits.imported(at)
            else:
                visit = self._visits.visit(at, day_ends - timedelta(seconds=1), calls)
            calls -= len(visit.calls)
            yield visit

    def _is_listed(self, at: datetime) -> bool:
        """Return whether another system could call then, and a sync has imported its call."""
        return at not in self.incidents.no_money and next_sync(at + IMPORTED_AFTER) <= self.now

    def _of_now(self, day: Day) -> Iterator[Visit]:
        """Yield calls of the last minutes, fewer the older they are, so that every state occurs.

        None is queued: the admin would ask where the worker is.
        """
        for number in reversed(range(self._fresh)):
            age = timedelta(seconds=max(number * (number + 1) / 2 - 1, YOUNGEST))
            at = max(self.now - age, day.begins)
            yield self._visits.visit(at, self.now, 1, LONG_RING if number % 2 else 0)
