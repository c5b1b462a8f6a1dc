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
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.db import IntegrityError, connections, router, transaction
from django.db.models import F, Field, Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from django_voicepassword import addresses
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.models import LimitCounter

#: The limits that LIMITS may name.
NAMES = ("phone", "phone_guesses", "ip", "prefix", "site")
#: What a device that proved a number before may do with it when strangers have used up the number's
#: own budget.
DEVICE_LIMITS = {"device_sends": ["3/d"], "device_guesses": ["5/d"]}
#: Rows that one statement deletes: no lock is held for long.
PURGE_BATCH = 1000
#: Rates of more events than this keep their times coarser.
FINE = 100
#: Seconds by which the clocks of several servers may differ. What is further in the future was
#: noted before a clock stepped back.
SKEW = 60
#: What a send is taken to cost until the provider has told a price (samples of its document), in
#: its currency.
FIRST_PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"(\d{1,9})/(\d{0,6})([smhd])", re.ASCII)

Events = dict[str, list[list[int]]]


@dataclass(frozen=True)
class Rate:
    """``count`` events in ``seconds``."""

    count: int
    seconds: int

    @property
    def resolution(self) -> int:
        """Milliseconds within which two events may be kept as one."""
        return 0 if self.count <= FINE else self.seconds * 1000 // FINE


class LimitedByTheFuture(RateLimited):
    """Some of what is counted was noted before the clock stepped back: ``count_from_now(keys)`` is
    to be called.
    """

    def __init__(self, limit: str, retry_after: int, keys: Iterable[str]) -> None:
        super().__init__(limit, retry_after)
        self.keys = list(keys)


@lru_cache(maxsize=256)
def parse_rate(text: str) -> Rate:
    """``"3/10m"`` is three in ten minutes. Raises ValueError that says the form."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] and int(match[2]) == 0):
        raise ValueError(
            f'{text!r} is no rate: write "N/Pu", N events in P units of s, m, h or d, as "3/10m" or "20/h"'
        )
    return Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


def send_subjects(phone: str, ip: str | None, device: str = "") -> dict[str, str]:
    """Which budgets one send to ``phone`` for the client ``ip`` draws on: limit name -> subject.

    ``device``: one that proved the number before, and pays from its own budget instead of the
    number's.
    """
    subjects = {"prefix": phone[:-4], "site": ""}
    subjects |= {"device_sends": f"{device}:{phone}"} if device else {"phone": phone}
    if ip:
        subjects["ip"] = addresses.subject(ip)
    return subjects


@dataclass(frozen=True)
class Reservation:
    """One more event fits, and the rows that say so are locked: ``keep`` counts it, and must come
    in the same transaction.
    """

    writes: list[tuple[str, Events, Decimal]]
    now: datetime

    def keep(self) -> None:
        if self.writes:
            _write(self.writes, self.now)


def reserve(subjects: Mapping[str, str], now: datetime, price: Decimal | None = None) -> None:
    """Count one event in every rate of the limits named, and ``price`` in the day's budget; or
    raise and count nothing.

    Raises as ``hold_place`` does. To be called in the transaction that writes what is counted, as
    its first statement.
    """
    hold_place(subjects, now, price).keep()


def hold_place(
    subjects: Mapping[str, str], now: datetime, price: Decimal | None = None
) -> Reservation:
    """See that one more event fits, and let nobody else in until the transaction ends; nothing is
    counted yet.

    Raises RateLimited (naming the limit with the longest wait) or BudgetExhausted. Where it raises
    LimitedByTheFuture, what was locked here is to be counted from now, in a transaction that is not
    rolled back.
    """
    wanted = _wanted(subjects)
    budget = _budget_key(now) if settings.DAILY_BUDGET is not None and price is not None else None
    keys = sorted([*wanted, budget] if budget else wanted)
    if not keys:
        return Reservation([], now)
    moment = _milliseconds(now)
    rows = _lock(keys, now)
    ahead = [key for key in wanted if _is_ahead(rows[key][0], moment)]
    writes = []
    waits: list[tuple[int, str]] = []
    for key, (limit, rates) in wanted.items():
        events, amount = rows[key]
        for text in rates:
            rate = parse_rate(text)
            live = _live(events.get(text, []), rate, moment)
            wait = _wait(live, rate, moment)
            if wait:
                waits.append((wait, limit))
            events[text] = _add(live, rate, moment)
        writes.append((key, {text: events[text] for text in rates}, amount))
    if waits:
        wait, limit = max(waits)
        raise LimitedByTheFuture(limit, wait, ahead) if ahead else RateLimited(limit, wait)
    if budget and price is not None:
        spent = rows[budget][1]
        if spent + price > settings.DAILY_BUDGET:
            raise BudgetExhausted(_seconds_to_next_day(now))
        writes.append((budget, {}, spent + price))
    return Reservation(writes, now)


def release(subjects: Mapping[str, str], at: datetime, price: Decimal | None = None) -> None:
    """Give back the event that was counted at ``at``, and its price: nothing was sent after all."""
    moment = _milliseconds(at)
    _rewrite(_wanted(subjects), timezone.now(), lambda entries: _remove(entries, moment))
    if price is not None:
        adjust_budget(at, -price)


def count_from_now(keys: Iterable[str], now: datetime) -> None:
    """The clock stepped back: events of the future count from now, not until the clock has come so
    far again.
    """
    moment = _milliseconds(now)
    _rewrite(keys, now, lambda entries: [[min(at, moment), count] for at, count in entries])


def hold(key: str) -> None:
    """Wait until no other transaction holds ``key``, and hold it to the end of this one."""
    _lock([key], timezone.now())


def adjust_budget(at: datetime, difference: Decimal) -> None:
    """The price of a call that was counted at ``at`` proved to be other than reserved, by
    ``difference``.
    """
    if difference:
        LimitCounter.objects.filter(key=_budget_key(at)).update(amount=F("amount") + difference)


def expected_price(channel: str) -> Decimal:
    """What the next send on ``channel`` will cost: the last known price."""
    known = (
        LimitCounter.objects.filter(key=f"price:{channel}").values_list("amount", flat=True).first()
    )
    return FIRST_PRICES[channel] if known is None else known


def note_price(channel: str, price: Decimal, now: datetime) -> None:
    """Remember what a send on ``channel`` cost."""
    _upsert([(f"price:{channel}", "{}", price, now)], update=("amount", "updated_at"))


def forget(phone: str) -> int:
    """Open every budget of a number again, for support; how many rows that were."""
    return LimitCounter.objects.filter(
        key__in=[f"phone:{phone}", f"phone_guesses:{phone}"]
    ).delete()[0]


def used(phone: str, now: datetime | None = None) -> list[tuple[str, int, int]]:
    """What is used of a number's budgets: (``"phone 3/10m"``, used, allowed) of each rate that is
    used at all.
    """
    moment = _milliseconds(now or timezone.now())
    wanted = _wanted({"phone": phone, "phone_guesses": phone})
    rows = dict(LimitCounter.objects.filter(key__in=wanted).values_list("key", "events"))
    found = []
    for key, (limit, rates) in wanted.items():
        events: Events = json.loads(rows.get(key, "{}"))
        for text in rates:
            rate = parse_rate(text)
            count = sum(one for _, one in _live(events.get(text, []), rate, moment))
            if count:
                found.append((f"{limit} {text}", count, rate.count))
    return found


def purge(before: datetime) -> int:
    """Delete what has not been used since ``before``; the prices stay. Call it with more than the
    longest period.
    """
    kept = Q(key__startswith="price:") | Q(key__startswith="alarm:")
    unused = LimitCounter.objects.filter(updated_at__lt=before).exclude(kept)
    deleted = 0
    while keys := list(unused.order_by("updated_at").values_list("pk", flat=True)[:PURGE_BATCH]):
        # Asked again: what was used meanwhile counts.
        deleted += unused.filter(pk__in=keys).delete()[0]
    return deleted


def longest_period() -> timedelta:
    """The longest period that any rate counts over."""
    rates = [rate for limit in {**settings.limits, **DEVICE_LIMITS}.values() for rate in limit]
    return timedelta(seconds=max(parse_rate(rate).seconds for rate in rates))


def raise_alarm(name: str) -> bool:
    """Note an alarm; True for exactly one of all who raise it, until it is cleared."""
    now = timezone.now()
    try:
        with transaction.atomic(using=_database()):
            LimitCounter.objects.create(key=f"alarm:{name}", updated_at=now)
    except IntegrityError:
        return False
    return True


def is_raised(name: str) -> bool:
    """Was an alarm raised and not cleared since?"""
    return LimitCounter.objects.filter(key=f"alarm:{name}").exists()


def clear_alarm(name: str) -> None:
    """The reason is gone: the alarm may be raised again."""
    LimitCounter.objects.filter(key=f"alarm:{name}").delete()


def provider_day(moment: datetime) -> str:
    """The provider's date of a moment, as ISO text."""
    return moment.astimezone(ZoneInfo(settings.PROVIDER_TIME_ZONE)).date().isoformat()


def _wanted(subjects: Mapping[str, str]) -> dict[str, tuple[str, list[str]]]:
    limits = {**settings.limits, **DEVICE_LIMITS}
    return {
        f"{name}:{subject}": (name, list(limits[name]))
        for name, subject in subjects.items()
        if limits.get(name)
    }


def _live(entries: list[list[int]], rate: Rate, moment: int) -> list[list[int]]:
    """The entries that still count. A clock that stepped back leaves times in the future: they
    count from now.
    """
    start = moment - rate.seconds * 1000
    return [[min(at, moment), count] for at, count in entries if at > start]


def _is_ahead(events: Events, moment: int) -> bool:
    """Was anything noted by a clock that has stepped back since?"""
    return any(entries and entries[-1][0] > moment + SKEW * 1000 for entries in events.values())


def _wait(live: list[list[int]], rate: Rate, moment: int) -> int:
    """Whole seconds until one more event fits; 0 where it fits now."""
    over = sum(count for _, count in live) + 1 - rate.count
    if over <= 0:
        return 0
    for at, count in live:
        over -= count
        if over <= 0:
            return ceil((at - moment) / 1000 + rate.seconds)
    return rate.seconds


def _add(live: list[list[int]], rate: Rate, moment: int) -> list[list[int]]:
    if live and moment - live[-1][0] < rate.resolution:
        # The later time is kept for both: an event may count longer than its period, never shorter.
        return [*live[:-1], [moment, live[-1][1] + 1]]
    return [*live, [moment, 1]]


def _remove(entries: list[list[int]], moment: int) -> list[list[int]]:
    for index, (at, count) in enumerate(entries):
        if at >= moment:
            left = [[at, count - 1]] if count > 1 else []
            return [*entries[:index], *left, *entries[index + 1 :]]
    return entries


def _budget_key(moment: datetime) -> str:
    return f"budget:{provider_day(moment)}"


def _seconds_to_next_day(now: datetime) -> int:
    zone = ZoneInfo(settings.PROVIDER_TIME_ZONE)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return ceil((datetime.combine(tomorrow, time.min, zone) - now).total_seconds())


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _database() -> str:
    return router.db_for_write(LimitCounter)


def _lock(keys: list[str], now: datetime) -> dict[str, tuple[Events, Decimal]]:
    """Lock the rows of ``keys`` (sorted), making those that are not there, and read them."""
    rows = [(key, "{}", Decimal(0), now) for key in keys]
    columns = ("key", "events", "amount")
    returned: Iterable[tuple[str, str, Decimal]] | None = _upsert(
        rows, update=("updated_at",), returning=columns
    )
    if returned is None:
        returned = (
            LimitCounter.objects.select_for_update().filter(key__in=keys).values_list(*columns)
        )
    return {key: (json.loads(events), Decimal(str(amount))) for key, events, amount in returned}


def _rewrite(
    keys: Iterable[str], now: datetime, change: Callable[[list[list[int]]], list[list[int]]]
) -> None:
    """Change the events of ``keys``, under their locks."""
    wanted = sorted(keys)
    if not wanted:
        return
    with transaction.atomic(using=_database()):
        rows = _lock(wanted, now).items()
        _write(
            [
                (key, {text: change(one) for text, one in events.items()}, amount)
                for key, (events, amount) in rows
            ],
            now,
        )


def _write(rows: Iterable[tuple[str, Events, Decimal]], now: datetime) -> None:
    values = [
        (key, json.dumps(events, separators=(",", ":")), amount, now)
        for key, events, amount in sorted(rows)
    ]
    _upsert(values, update=("events", "amount"))


def _upsert(
    rows: list[tuple[str, str, Decimal, datetime]],
    update: tuple[str, ...],
    returning: tuple[str, ...] = (),
) -> list[tuple[str, str, Decimal]] | None:
    """One INSERT … ON CONFLICT of all ``rows``. None where this database cannot return what it
    wrote.

    Raw, because the ORM's ``bulk_create(update_conflicts=True)`` does not return columns and takes
    a second query.
    """
    connection = connections[_database()]
    meta = LimitCounter._meta
    names = ("key", "events", "amount", "updated_at")
    fields = [cast("Field[Any, Any]", meta.get_field(name)) for name in names]
    column = {field.name: field.column for field in fields}
    quote = connection.ops.quote_name
    conflict = connection.ops.on_conflict_suffix_sql(
        fields,
        OnConflict.UPDATE,
        [column[name] for name in update],
        [column["key"]],
    )
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    columns = ", ".join(map(quote, names))
    sql = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES {values} {conflict}"  # names only  # noqa: S608  # nosec B608
    can_return = connection.features.can_return_rows_from_bulk_insert
    if returning and can_return:
        sql += f" RETURNING {', '.join(map(quote, returning))}"
    parameters = [
        field.get_db_prep_save(value, connection)
        for row in rows
        for field, value in zip(fields, row, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if returning and can_return:
            return list(cursor.fetchall())
    return None
