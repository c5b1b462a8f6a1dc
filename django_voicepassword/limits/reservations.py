"""Reserve sends, guesses and money in the database before anything is sent or compared.

The promise is exact: no period P ever contains more than N events of a rate ``N/P``, wherever it
begins. Each event keeps its own time: fixed windows would let 2N events through around their edge.
Rates of more than ``EXACT_UP_TO`` events keep their times to a hundredth of the period, rounded so
that nobody waits too briefly.

One statement locks all rows of a reservation, in the order of their keys, so two reservations
cannot deadlock. That statement is a write: SQLite waits for a write lock, but refuses to turn a
read transaction into a write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.limits import client_ip, devices
from django_voicepassword.limits.budget import adjust_budget, budget_key, seconds_to_next_day
from django_voicepassword.limits.counters import (
    Row,
    lock_rows,
    rewrite_rows,
    write_rows,
)
from django_voicepassword.limits.rates import (
    Events,
    add_event,
    is_ahead,
    live_events,
    parse_rate,
    remove_event,
    seconds_to_wait,
    tenfold,
    to_milliseconds,
)
from django_voicepassword.limits.subjects import (
    NETWORK,
    address_subjects,
    guess_subjects,
    send_subjects,
)
from django_voicepassword.limits.terms import Terms
from django_voicepassword.models import LimitCounter, Verification

#: The limits that LIMITS may name.
NAMES = (
    "phone",
    "phone_guesses",
    "device",
    "device_guesses",
    "long_guesses",
    "ip",
    "prefix",
    "site",
)


class ClockSkewRateLimited(RateLimited):
    """RateLimited, and some counted events are in the future because the clock stepped back.

    Whoever catches it must call ``count_from_now(error.keys)``; else the limit stays closed until
    the clock has caught up.
    """

    def __init__(self, limit: str, retry_after: int, keys: Iterable[str]) -> None:
        super().__init__(limit, retry_after)
        self.keys = list(keys)


@dataclass(frozen=True)
class Reservation:
    """Room for more events in locked rows. ``commit`` counts them.

    ``commit`` must be called in the transaction that made the reservation, which holds the locks.
    """

    writes: list[tuple[str, Events, Decimal]]
    now: datetime

    def commit(self) -> None:
        """Count the events."""
        if self.writes:
            write_rows(self.writes, self.now)


def reserve(
    subjects: Mapping[str, str], now: datetime, price: Decimal | None = None, events: int = 1
) -> Reservation:
    """Lock the counters of ``subjects`` (limit name -> subject) and check that one more event fits.

    Where the event counts several times, ``events`` says how often. A rate that allows fewer than
    that counts it as often as it allows, so that it still fits when nothing else was counted.

    Nothing is counted before ``commit``; until the transaction ends, nobody else can reserve from
    the same counters. ``price`` is checked against DAILY_BUDGET.

    Raises RateLimited, naming the limit with the longest wait, or BudgetExhausted. After
    ClockSkewRateLimited call ``count_from_now`` in a transaction that is not rolled back.
    """
    rates_by_key = _rates_by_key(subjects)
    budget = budget_key(now) if settings.DAILY_BUDGET is not None and price is not None else None
    keys = sorted([*rates_by_key, budget] if budget else rates_by_key)
    if not keys:
        return Reservation([], now)
    rows = lock_rows(keys, now)
    writes = _count_more(rates_by_key, rows, to_milliseconds(now), events)
    if budget and price is not None:
        spent = rows[budget][1]
        if spent + price > settings.DAILY_BUDGET:
            raise BudgetExhausted(seconds_to_next_day(now))
        writes.append((budget, {}, spent + price))
    return Reservation(writes, now)


def _count_more(
    rates_by_key: Mapping[str, tuple[str, list[str]]],
    rows: Mapping[str, Row],
    moment: int,
    more: int,
) -> list[tuple[str, Events, Decimal]]:
    """Return the locked rows with ``more`` events for each rate. Raises RateLimited."""
    writes: list[tuple[str, Events, Decimal]] = []
    waits: list[tuple[int, str]] = []
    for key, (limit, rates) in rates_by_key.items():
        events, amount = rows[key]
        counted = {}
        for text in rates:
            rate = parse_rate(text)
            live = live_events(events.get(text, []), rate, moment)
            fitting = min(more, max(rate.count, 1))
            wait = seconds_to_wait(live, rate, moment, fitting)
            if wait:
                waits.append((wait, limit))
            counted[text] = add_event(live, rate, moment, fitting)
        writes.append((key, counted, amount))
    if waits:
        wait, limit = max(waits)
        ahead = [key for key in rates_by_key if is_ahead(rows[key][0], moment)]
        raise ClockSkewRateLimited(limit, wait, ahead) if ahead else RateLimited(limit, wait)
    return writes


def release(subjects: Mapping[str, str], at: datetime, price: Decimal | None = None) -> None:
    """Give back the event that was counted at ``at``, and its ``price``: nothing was sent."""
    moment = to_milliseconds(at)
    keys = _rates_by_key(subjects)
    rewrite_rows(keys, timezone.now(), lambda entries: remove_event(entries, moment))
    if price is not None:
        adjust_budget(at, -price)


def count_from_now(keys: Iterable[str], now: datetime) -> None:
    """Move the events of ``keys`` that are in the future to ``now``, after the clock stepped back.

    Without this they would count until the clock has passed their times once more.
    """
    moment = to_milliseconds(now)
    rewrite_rows(keys, now, lambda entries: [[min(at, moment), count] for at, count in entries])


def usage(phone: str, now: datetime | None = None) -> list[tuple[str, int, int]]:
    """Return what a number has used of its limits: (``"phone 3/10m"``, used, allowed) per rate.

    Rates of which nothing is used are left out. The wrong guesses for a number of TEST_NUMBERS
    count for each address on its own: they are those of the address with the most.
    """
    moment = to_milliseconds(now or timezone.now())
    counters = LimitCounter.objects.filter(Q(key=f"phone:{phone}") | guess_counters(phone))
    used_rates: dict[str, tuple[int, int]] = {}
    for key, events in sorted(counters.values_list("key", "events")):
        name, _, subject = key.partition(":")
        for limit, rates in _rates_by_key({name: subject}).values():
            for text, used, allowed in _used(json.loads(events), rates, moment):
                most = used_rates.get(f"{limit} {text}", (0, allowed))
                used_rates[f"{limit} {text}"] = max(most, (used, allowed))
    return [(rate, used, allowed) for rate, (used, allowed) in used_rates.items() if used]


def _used(events: Events, rates: Iterable[str], moment: int) -> Iterable[tuple[str, int, int]]:
    """Return each rate with its number of events at ``moment``, and how many it allows."""
    for text in rates:
        rate = parse_rate(text)
        live = live_events(events.get(text, []), rate, moment)
        yield text, sum(count for _, count in live), rate.count


def guess_counters(phone: str) -> Q:
    """Return the condition of the counters that count the wrong guesses of a number.

    A number of TEST_NUMBERS has one for each address and network that guessed.
    """
    counters = Q(key=f"phone_guesses:{phone}")
    if phones.fixed_code(phone) is not None:
        for limit in ("phone_guesses", f"phone_guesses{NETWORK}"):
            counters |= Q(key__startswith=f"{limit}:{phone}:")
    return counters


def longest_period() -> timedelta:
    """Return the longest period of all rates; none where all limits are switched off."""
    rates = [rate for limit in settings.limits.values() for rate in limit]
    return timedelta(seconds=max((parse_rate(rate).seconds for rate in rates), default=0))


def _rates_by_key(subjects: Mapping[str, str]) -> dict[str, tuple[str, list[str]]]:
    """Return counter key -> (limit name, its rates), without the limits that are switched off.

    A network of many addresses has ten times the rates of one address.
    """
    limits = settings.limits
    rates_by_key = {}
    for name, subject in subjects.items():
        limit = name.removesuffix(NETWORK)
        rates = list(limits.get(limit, []))
        if rates and name != limit:
            rates = [tenfold(rate) for rate in rates]
        if rates:
            rates_by_key[f"{name}:{subject}"] = (limit, rates)
    return rates_by_key


def reserve_send(verification: Verification, terms: Terms, now: datetime) -> str:
    """Count one send, and return what counted it, for ``CallRequest.counted``.

    Where it raises RateLimited, BudgetExhausted or BlockTripped, nothing is counted. See
    ``reservations.reserve``.
    """
    phone = verification.phone
    try:
        subjects = send_subjects(phone, terms.address, terms.is_proven)
        reserve(subjects, now, terms.price).commit()
        return "phone"
    except RateLimited as error:
        if error.limit != "phone" or not terms.is_proven:
            raise
    reserve({"device": phone}, now, terms.price).commit()
    return "device"


def reserve_test_send(terms: Terms, now: datetime) -> None:
    """Count one send to a number of TEST_NUMBERS: it costs nothing, so only ``ip`` holds.

    Raises RateLimited. See ``reservations.reserve``.
    """
    if not terms.is_proven:
        reserve(address_subjects("ip", terms.address), now).commit()


def reserve_guess(
    verification: Verification, now: datetime, request: HttpRequest | None, events: int = 1
) -> Reservation:
    """Reserve one guess; the caller commits the reservation if the guess is wrong.

    A wrong guess counts ``events`` times: once for each code that it was compared with.

    The trusted devices of a number have guesses of their own, which nobody else can use up. When
    those are used up, the guesses of the number remain. Guesses of long codes are counted apart.

    Raises RateLimited. See ``reservations.reserve``.
    """
    phone = verification.phone
    if phones.fixed_code(phone) is not None:
        subjects = guess_subjects(phone, client_ip.counted_address(request))
        return reserve(subjects, now, events=events)
    if devices.is_trusted(request, phone):
        with suppress(RateLimited):
            return reserve({"device_guesses": phone}, now, events=events)
    limit = "long_guesses" if verification.has_long_code else "phone_guesses"
    return reserve({limit: phone}, now, events=events)
