"""Money: how much of DAILY_BUDGET a provider's day has used.

Each day has two pots: one of all sends, and one of the unproven lane, which may use a part of
DAILY_BUDGET. A pot is split over rows that hold a part of its money each, so that sends rarely wait
for each other. As long as no row has spent more than its part, the pot has not spent more than its
money. A row that cannot pay looks at the others under their locks; where only their rests together
can pay, the spent money is spread evenly. Only the sum counts, so money is given back to any row.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import BudgetExhausted
from django_voicepassword.limits.counters import Row, exact, lock_rows, write_rows
from django_voicepassword.limits.rates import Events, spread
from django_voicepassword.limits.selects import sums
from django_voicepassword.limits.uses import row_key, row_range
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.models.provider_days import day_bounds, day_of

#: The rows of a pot. So much of its money at least is in each that has any: the others are used
#: where DAILY_BUDGET is raised in the day.
ROWS, MONEY_OF_ROW = 64, 35
#: The units in which money is spread: amounts have four decimal places.
_UNITS = 10_000
#: In the events of a row: for which money of the pot its part was reckoned.
_OF = "of"
#: A row of the table of counters to be written.
Write = tuple[str, Events, Decimal]


@dataclass(frozen=True)
class Money:
    """The price of a send, in the provider's currency, and whether its lane is the proven one."""

    price: Decimal
    is_proven: bool = False


@dataclass(frozen=True)
class Pot:
    """Money of one day for some sends. ``key`` is that of its rows, without their numbers."""

    key: str
    money: Decimal
    #: The money for a single send, where that is more: one send fits every pot that is not empty.
    least: Decimal = Decimal(0)

    @property
    def keys(self) -> list[str]:
        return [row_key(self.key, row) for row in range(ROWS)]

    @property
    def rows(self) -> int:
        """How many rows have a part of the money."""
        return max(1, min(int(self.money) // MONEY_OF_ROW, ROWS))

    @property
    def parts(self) -> list[Decimal]:
        """What each row may spend."""
        return self._spread(self.money)

    def spend(self, rows: Mapping[str, Row], price: Decimal, now: datetime) -> list[Write] | None:
        """Return the ``rows`` to write where ``price`` is spent.

        None: the rows that were looked at have not so much, and there are others. Raises
        BudgetExhausted where all were looked at.
        """
        parts = list(zip(self.keys, self.parts, strict=True))[: self.rows]
        for key, part in random.sample(parts, len(parts)):
            if key in rows and self._is_current(rows[key]) and rows[key][1] + price <= part:
                return [(key, rows[key][0], rows[key][1] + price)]
        if not self.has_all(rows):
            return None
        spent = self.spent(rows) + price
        if not self.allows(spent):
            raise BudgetExhausted(seconds_to_next_day(now))
        return self.level(spent)

    def allows(self, spent: Decimal) -> bool:
        return spent <= max(self.money, self.least)

    def is_small(self, price: Decimal) -> bool:
        """Whether no row alone can pay ``price``: all are looked at from the beginning."""
        return self.parts[0] < price

    def level(self, spent: Decimal) -> list[Write]:
        """Return all rows, with ``spent`` spread evenly over them.

        Where more is spent than there is, their parts count no more: what is given back to one of
        them would be spent again. All of them are looked at until the sum is in order.
        """
        of = self._of if spent <= self.money else {}
        return [(key, of, part) for key, part in zip(self.keys, self._spread(spent), strict=True)]

    def spent(self, rows: Mapping[str, Row]) -> Decimal:
        return sum((rows[key][1] for key in self.keys), Decimal(0))

    def has_all(self, rows: Mapping[str, Row]) -> bool:
        return all(key in rows for key in self.keys)

    def _spread(self, amount: Decimal) -> list[Decimal]:
        units = spread(int(amount * _UNITS), self.rows)
        return [Decimal(part) / _UNITS for part in units] + [Decimal(0)] * (ROWS - self.rows)

    def _is_current(self, row: Row) -> bool:
        """Whether the row's part was reckoned from the money that the pot has by now.

        DAILY_BUDGET may have changed since, and a new row does not know what the others have spent.
        """
        return row[0] == self._of

    @property
    def _of(self) -> Events:
        return {_OF: [[int(self.money * _UNITS), 1]]}


def pots(at: datetime, money: Money) -> list[Pot]:
    """Return the pots that pay for a send at ``at``; none without DAILY_BUDGET."""
    if settings.DAILY_BUDGET is None:
        return []
    day, whole = day_of(at).isoformat(), Decimal(settings.DAILY_BUDGET)
    of_all = Pot(f"budget:{day}", whole)
    if money.is_proven:
        return [of_all]
    share = whole * (1 - Decimal(str(settings.PROVEN_SHARE)))
    return [of_all, Pot(f"budget_unproven:{day}", share, least=money.price)]


def adjust_budget(at: datetime, difference: Decimal, is_proven: bool = False) -> None:
    """Add ``difference`` to the money used on the day of ``at``, by a send of that lane.

    Call it in a transaction, when the real price of a call that was counted at ``at`` differs from
    the reserved one, or to give the money back.
    """
    if not difference:
        return
    of_day = pots(at, Money(difference, is_proven))
    if difference > 0:
        _add(of_day, difference, at)
        return
    for pot in of_day:
        # One statement for each row, in the order in which others lock them.
        key = row_key(pot.key, random.randrange(pot.rows))  # noqa: S311  # nosec B311
        LimitCounter.objects.filter(key=key).update(amount=F("amount") + difference)


def _add(of_day: list[Pot], difference: Decimal, now: datetime) -> None:
    """Count money that is spent already, also where there is not so much."""
    if not of_day:
        return
    rows = lock_rows(sorted(key for pot in of_day for key in pot.keys), now)
    write_rows([write for pot in of_day for write in pot.level(pot.spent(rows) + difference)], now)


def spent(at: datetime) -> Decimal:
    """Return the money that is used or reserved on the provider's day of ``at``, in both lanes."""
    return _spent([Pot(f"budget:{day_of(at).isoformat()}", Decimal(0))])[0]


def raise_reservation(at: datetime, reserved: Decimal, money: Money, now: datetime) -> bool:
    """Reserve ``money`` in place of the ``reserved`` money of a call that was counted at ``at``.

    Return False, and change nothing, where DAILY_BUDGET does not have so much. That can be so even
    where the price is the reserved one: other calls have cost more than was reserved for them. Call
    it in a transaction.
    """
    difference = money.price - reserved
    of_day = pots(at, money)
    if not difference:
        # Nothing is spent, so nothing is locked.
        return not of_day or all(map(Pot.allows, of_day, _spent(of_day)))
    rows = lock_rows(sorted(key for pot in of_day for key in pot.keys), now)
    spent = [pot.spent(rows) + difference for pot in of_day]
    if not all(pot.allows(more) for pot, more in zip(of_day, spent, strict=True)):
        return False
    levels = [pot.level(more) for pot, more in zip(of_day, spent, strict=True)]
    write_rows([write for level in levels for write in level], now)
    return True


def _spent(of_day: list[Pot]) -> list[Decimal]:
    """Return what each pot has spent, as it is committed; nothing is locked."""
    return [exact(spent or 0) for spent in sums([row_range(pot.key) for pot in of_day])]


def seconds_to_next_day(now: datetime) -> int:
    """Return the whole seconds until the provider's next day begins."""
    _begins, ends = day_bounds(day_of(now))
    return seconds_until(ends, now)
