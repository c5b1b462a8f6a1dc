"""Reserve sends, guesses and money in the database before anything is sent or compared.

The promise is exact: no period P ever contains more than N events of a rate ``N/P``, wherever it
begins. Each event keeps its own time: fixed windows would let 2N events through around their edge.
Rates of more than ``EXACT_UP_TO`` events keep their times to a hundredth of the period, rounded so
that nobody waits too briefly.

One statement locks all rows of a reservation, in the order of their keys, so two reservations
cannot deadlock. That statement is a write: SQLite waits for a write lock, but refuses to turn a
read transaction into a write.

A counter that many sends share is split over several rows (``limits.shares``, ``limits.budget``),
of which a reservation looks at one: see ``in_transaction``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import transactions
from django_voicepassword.limits import blocks, client_ip
from django_voicepassword.limits.budget import Money, pots
from django_voicepassword.limits.counters import count_from_now, lock_rows
from django_voicepassword.limits.guard.subjects import block_of
from django_voicepassword.limits.lanes import lane_of
from django_voicepassword.limits.plans import (
    BlockSend,
    ClockSkewRateLimited,
    Plan,
    Reservation,
    RowsUsedUp,
)
from django_voicepassword.limits.terms import Terms
from django_voicepassword.limits.uses import Use, guess_uses, send_uses, test_send_uses
from django_voicepassword.models import CallRequest, Verification

Result = TypeVar("Result")
#: The counters of which the running transaction looks at all rows.
_whole: ContextVar[frozenset[str]] = ContextVar("whole", default=frozenset())


def in_transaction(work: Callable[[], Result], using: str) -> Result:
    """Run ``work``, which reserves, in a transaction; it may run several times.

    Where the one row of a split counter that it looked at is used up, the transaction is rolled
    back, and nothing is locked any more. If the other rows have room, it is repeated with all of
    them locked, in the order of their keys. So nobody is refused while one row has room.
    """
    try:
        return _look_at_more(work, using)
    except ClockSkewRateLimited as error:
        # The transaction was rolled back, so the correction needs one of its own.
        count_from_now(error.keys, timezone.now())
        raise


def _look_at_more(work: Callable[[], Result], using: str) -> Result:
    whole: frozenset[str] = frozenset()
    while True:
        token = _whole.set(whole)
        try:
            return transactions.atomic_with_retry(work, using)
        except RowsUsedUp as error:
            used_up = error
        finally:
            _whole.reset(token)
        used_up.refuse_if_full()
        whole |= used_up.keys


def reserve(
    uses: Iterable[Use],
    now: datetime,
    money: Money | None = None,
    events: int = 1,
    block: BlockSend | None = None,
) -> Reservation:
    """Lock the counters of ``uses`` and check that one more event fits each.

    Where the event counts several times, ``events`` says how often. A rate that allows fewer than
    that counts it as often as it allows, so that it still fits when nothing else was counted.

    Nothing is counted before ``commit``; until the transaction ends, nobody else can reserve from
    the same rows. ``money`` is checked against DAILY_BUDGET. ``block`` counts a send of a block.

    Raises RateLimited, naming the limit with the longest wait, BudgetExhausted or BlockTripped, and
    what ``in_transaction`` handles: call it in there.
    """
    return _reserve(_make_plan(uses, now, money, events, block))


def _make_plan(
    uses: Iterable[Use],
    now: datetime,
    money: Money | None = None,
    events: int = 1,
    block: BlockSend | None = None,
) -> Plan:
    return Plan(
        uses=list(uses),
        now=now,
        events=events,
        pots=tuple(pots(now, money)) if money else (),
        price=money.price if money else Decimal(0),
        block=block,
    )


def _reserve(plan: Plan, also: Iterable[str] = ()) -> Reservation:
    keys = sorted({*plan.keys(_whole.get()), *also})
    return plan.reserve(lock_rows(keys, plan.now) if keys else {})


def _plan_of_send(phone: str, terms: Terms, now: datetime) -> Plan:
    money = None if terms.price is None else Money(terms.price, terms.is_proven)
    block = BlockSend(block_of(phone), terms.usual) if blocks.counts(terms) else None
    return _make_plan(send_uses(phone, terms), now, money, block=block)


def reserve_send(verification: Verification, terms: Terms, now: datetime) -> str:
    """Count one send, and return what counted it, for ``CallRequest.counted``.

    Where it raises RateLimited, BudgetExhausted or BlockTripped, nothing is counted. Call it in
    ``in_transaction``.
    """
    return _reserve(_plan_of_send(verification.phone, terms, now)).commit()


def look_for_room(phone: str, terms: Terms, now: datetime) -> None:
    """Raise what ``reserve_send`` would raise now. Nothing is counted or locked."""
    try:
        _plan_of_send(phone, terms, now).look()
    except ClockSkewRateLimited as error:
        count_from_now(error.keys, now)
        raise


def reserve_test_send(phone: str, terms: Terms, now: datetime) -> str:
    """Count one send to a number of TEST_NUMBERS. See ``reserve_send``."""
    return reserve(test_send_uses(phone, terms), now).commit()


def reserve_guess(
    verification: Verification,
    now: datetime,
    request: HttpRequest | None,
    events: int = 1,
    also: Iterable[str] = (),
) -> Reservation:
    """Reserve one guess; the caller commits the reservation if the guess is wrong.

    A wrong guess counts ``events`` times: once for each code that it was compared with. The rows of
    the keys ``also`` are locked by the same statement, for what a right guess writes.

    Raises RateLimited. Call it in ``in_transaction``.
    """
    phone = verification.phone
    is_proven = lane_of(request, phone) == CallRequest.Lane.PROVEN
    uses = guess_uses(verification, client_ip.counted_address(request), is_proven)
    return _reserve(_make_plan(uses, now, events=events), also)
