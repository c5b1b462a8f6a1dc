"""How many calls each day and hour has, and when the two incidents of the history happen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

UTC = timezone.utc
#: Weight of each hour of a day: nearly nothing at night, the most in the evening.
WORKDAY = [9, 5, 3, 2, 2, 4, 9, 20, 35, 48, 56, 60, 64, 62, 58, 56, 60, 68, 80, 92, 95, 80, 50, 24]
WEEKEND = [15, 9, 5, 3, 2, 3, 5, 10, 20, 34, 48, 58, 64, 66, 64, 62, 62, 66, 74, 84, 88, 78, 56, 32]
#: Weight of each day of a week, Monday first.
WEEK = [1.0, 1.02, 1.0, 1.03, 1.06, 0.78, 0.7]
#: How much more calls the last day has than the first: 40 %.
GROWTH = 0.4
#: A shorter history has no incidents: they would dominate it.
FEWEST_DAYS_WITH_INCIDENTS = 5


@dataclass(frozen=True)
class Day:
    """A day of the provider, and how many calls are to be made for each of its hours."""

    date: date
    begins: datetime
    ends: datetime
    hours: Sequence[int]


@dataclass(frozen=True)
class Window:
    """A period in UTC; the end is excluded."""

    begins: datetime
    ends: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends


NEVER = Window(datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True)
class Incidents:
    """``outage``: the provider rarely answers. ``no_money``: the account is empty."""

    outage: Window = NEVER
    no_money: Window = NEVER


def plan(calls: int, count: int, now: datetime, zone: ZoneInfo, rng: random.Random) -> list[Day]:
    """Distribute ``calls`` over ``count`` days up to ``now``; each day has at least one."""
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=ago) for ago in reversed(range(count))]
    profiles = [_profile(day, now, zone) for day in dates]
    weights = [
        sum(profile) * WEEK[day.weekday()] * (1 + GROWTH * number / count) * rng.uniform(0.94, 1.06)
        for number, (day, profile) in enumerate(zip(dates, profiles, strict=True))
    ]
    shares = [1 + share for share in _share(calls - count, weights, rng)]
    return [
        Day(day, *_bounds(day, zone), _share(share, profile, rng))
        for day, share, profile in zip(dates, shares, profiles, strict=True)
    ]


def plan_incidents(days: Sequence[Day]) -> Incidents:
    """Plan an outage some weeks ago, and an empty account on an evening some days ago."""
    if len(days) < FEWEST_DAYS_WITH_INCIDENTS:
        return Incidents()
    outage, no_money = (days[int((len(days) - 1) * part)].begins for part in (0.7, 0.9))
    return Incidents(
        outage=Window(
            outage + timedelta(hours=10, minutes=20), outage + timedelta(hours=15, minutes=40)
        ),
        # Exactly between two readings of the balance.
        no_money=Window(
            no_money + timedelta(hours=20, minutes=7), no_money + timedelta(hours=21, minutes=7)
        ),
    )


def _bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, last = (
        datetime.combine(date_of_bound, time.min, zone).astimezone(UTC)
        for date_of_bound in (day, day + timedelta(days=1))
    )
    return first, last


def _profile(day: date, now: datetime, zone: ZoneInfo) -> list[float]:
    """Return the weight of each hour, reduced to the part that has passed."""
    begins, ends = _bounds(day, zone)
    weights = WEEKEND if day.weekday() >= 5 else WORKDAY
    hours = range(round((ends - begins) / timedelta(hours=1)))
    passed = [(now - begins) / timedelta(hours=1) - hour for hour in hours]
    # Just after midnight one call must be possible.
    passed[0] = max(passed[0], 0.001)
    profile = [
        weights[hour % 24] * min(max(part, 0.0), 1.0)
        for hour, part in zip(hours, passed, strict=True)
    ]
    return [part / sum(weights) for part in profile]


def _share(amount: int, weights: Sequence[float], rng: random.Random) -> list[int]:
    """Divide ``amount`` into whole parts by weight; the remainder is distributed at random."""
    total = sum(weights)
    parts = [int(amount * weight / total) for weight in weights]
    for number in rng.choices(range(len(parts)), weights, k=amount - sum(parts)):
        parts[number] += 1
    return parts
