"""Budgets of sends, guesses and money, reserved in the database before anything is tried.

The promise is exact: of all the moments in any period P there are never more than N events of a
rate ``N/P``. Each event is kept with its time, so no window has an edge through which 2N would
slip. Rates above ``FINE`` events keep their times to a hundredth of the period, rounded towards
waiting longer.

All rows of one reservation are locked by one statement, in the order of their keys, and that
statement is a write: SQLite then waits for its lock instead of failing, and two reservations cannot
wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.limits.budget import adjust_budget, budget_key, seconds_to_next_day
from django_voicepassword.limits.counters import Row, lock_rows, rewrite_rows, write_rows
from django_voicepassword.limits.rates import (
    Events,
    add_event,
    is_ahead,
    live_events,
    parse_rate,
    remove_event,
    seconds_to_wait,
    to_milliseconds,
)
from django_voicepassword.models import LimitCounter

#: The limits that LIMITS may name.
NAMES = ("phone", "phone_guesses", "ip", "prefix", "site")
#: What a device that proved a number before may do with it when strangers have used up the number's
#: own budget.
DEVICE_LIMITS = {"device_sends": ["3/d"], "device_guesses": ["5/d"]}


class ClockSkewRateLimited(RateLimited):
    """Some of what is counted was noted before the clock stepped back: ``count_from_now(keys)`` is
    to be called.
    """

    def __init__(self, limit: str, retry_after: int, keys: Iterable[str]) -> None:
        super().__init__(limit, retry_after)
        self.keys = list(keys)


@dataclass(frozen=True)
class Reservation:
    """One more event fits, and the rows that say so are locked: ``commit`` counts it, and must come
    in the same transaction.
    """

    writes: list[tuple[str, Events, Decimal]]
    now: datetime

    def commit(self) -> None:
        if self.writes:
            write_rows(self.writes, self.now)


def reserve(
    subjects: Mapping[str, str], now: datetime, price: Decimal | None = None
) -> Reservation:
    """See that one more event fits, and let nobody else in until the transaction ends; nothing is
    counted yet.

    Raises RateLimited (naming the limit with the longest wait) or BudgetExhausted. Where it raises
    ClockSkewRateLimited, what was locked here is to be counted from now, in a transaction that is not
    rolled back.
    """
    wanted = _wanted(subjects)
    budget = budget_key(now) if settings.DAILY_BUDGET is not None and price is not None else None
    keys = sorted([*wanted, budget] if budget else wanted)
    if not keys:
        return Reservation([], now)
    rows = lock_rows(keys, now)
    writes = _add_one_to_each(wanted, rows, to_milliseconds(now))
    if budget and price is not None:
        spent = rows[budget][1]
        if spent + price > settings.DAILY_BUDGET:
            raise BudgetExhausted(seconds_to_next_day(now))
        writes.append((budget, {}, spent + price))
    return Reservation(writes, now)


def _add_one_to_each(
    wanted: Mapping[str, tuple[str, list[str]]], rows: Mapping[str, Row], moment: int
) -> list[tuple[str, Events, Decimal]]:
    """The locked rows with one more event in every rate. Raises RateLimited."""
    writes: list[tuple[str, Events, Decimal]] = []
    waits: list[tuple[int, str]] = []
    for key, (limit, rates) in wanted.items():
        events, amount = rows[key]
        counted = {}
        for text in rates:
            rate = parse_rate(text)
            live = live_events(events.get(text, []), rate, moment)
            wait = seconds_to_wait(live, rate, moment)
            if wait:
                waits.append((wait, limit))
            counted[text] = add_event(live, rate, moment)
        writes.append((key, counted, amount))
    if waits:
        wait, limit = max(waits)
        ahead = [key for key in wanted if is_ahead(rows[key][0], moment)]
        raise ClockSkewRateLimited(limit, wait, ahead) if ahead else RateLimited(limit, wait)
    return writes


def release(subjects: Mapping[str, str], at: datetime, price: Decimal | None = None) -> None:
    """Give back the event that was counted at ``at``, and its price: nothing was sent after all."""
    moment = to_milliseconds(at)
    rewrite_rows(_wanted(subjects), timezone.now(), lambda entries: remove_event(entries, moment))
    if price is not None:
        adjust_budget(at, -price)


def count_from_now(keys: Iterable[str], now: datetime) -> None:
    """The clock stepped back: events of the future count from now, not until the clock has come so
    far again.
    """
    moment = to_milliseconds(now)
    rewrite_rows(keys, now, lambda entries: [[min(at, moment), count] for at, count in entries])


def unblock(phone: str) -> int:
    """Open every budget of a number again, for support; how many rows that were."""
    return LimitCounter.objects.filter(
        key__in=[f"phone:{phone}", f"phone_guesses:{phone}"]
    ).delete()[0]


def usage(phone: str, now: datetime | None = None) -> list[tuple[str, int, int]]:
    """What is used of a number's budgets: (``"phone 3/10m"``, used, allowed) of each rate that is
    used at all.
    """
    moment = to_milliseconds(now or timezone.now())
    wanted = _wanted({"phone": phone, "phone_guesses": phone})
    rows = dict(LimitCounter.objects.filter(key__in=wanted).values_list("key", "events"))
    found = []
    for key, (limit, rates) in wanted.items():
        events: Events = json.loads(rows.get(key, "{}"))
        for text in rates:
            rate = parse_rate(text)
            count = sum(one for _, one in live_events(events.get(text, []), rate, moment))
            if count:
                found.append((f"{limit} {text}", count, rate.count))
    return found


def longest_period() -> timedelta:
    """The longest period that any rate counts over."""
    rates = [rate for limit in {**settings.limits, **DEVICE_LIMITS}.values() for rate in limit]
    return timedelta(seconds=max(parse_rate(rate).seconds for rate in rates))


def _wanted(subjects: Mapping[str, str]) -> dict[str, tuple[str, list[str]]]:
    limits = {**settings.limits, **DEVICE_LIMITS}
    return {
        f"{name}:{subject}": (name, list(limits[name]))
        for name, subject in subjects.items()
        if limits.get(name)
    }
