"""A plan: what one send or guess needs of the counters, and whether their rows have room for it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django_voicepassword.exceptions import RateLimited
from django_voicepassword.limits import blocks, shares
from django_voicepassword.limits.budget import Pot
from django_voicepassword.limits.counters import Row, read_rows, write_rows
from django_voicepassword.limits.rates import Events, to_milliseconds
from django_voicepassword.limits.shares import Counted
from django_voicepassword.limits.uses import Use

#: A row to be written: its key, its events and its amount.
Write = tuple[str, Events, Decimal]


class ClockSkewRateLimited(RateLimited):
    """RateLimited, and some counted events are in the future because the clock stepped back.

    Whoever catches it must call ``count_from_now(error.keys)``; else the limit stays closed until
    the clock has caught up. ``reservations.in_transaction`` does.
    """

    def __init__(self, limit: str, retry_after: int, keys: Iterable[str]) -> None:
        super().__init__(limit, retry_after)
        self.keys = list(keys)


class RowsUsedUp(Exception):
    """A row of a split counter is used up, and its other rows were not looked at.

    ``reservations.in_transaction`` handles it. ``keys`` are those of the counters.
    """

    def __init__(self, plan: Plan, keys: Iterable[str]) -> None:
        super().__init__("a row is used up: look at the others")
        self._plan = plan
        self.keys = frozenset(keys)

    def refuse_if_full(self) -> None:
        """Raise the refusal where the committed rows have no room either; nothing is locked.

        Without it every refused send would lock all rows.
        """
        self._plan.look()


@dataclass(frozen=True)
class Reservation:
    """Room for more events in locked rows. ``commit`` counts them.

    ``commit`` must be called in the transaction that made the reservation, which holds the locks.
    ``rows`` are all locked rows, as they were read.
    """

    writes: list[Write]
    now: datetime
    counted: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)

    def commit(self) -> str:
        """Count the events, and return the names of the counters, for ``CallRequest.counted``."""
        if self.writes:
            write_rows(self.writes, self.now)
        return self.counted


@dataclass(frozen=True)
class BlockSend:
    """A send for the block of its number.

    ``usual`` is the conversion by which the block is judged; None: it is only counted.
    """

    block: str
    usual: float | None

    @property
    def key(self) -> str:
        return f"{blocks.BLOCK}:{self.block}"


@dataclass(frozen=True)
class Plan:
    """``events`` of each use, ``price`` from each pot, and perhaps a send of a block."""

    uses: list[Use]
    now: datetime
    events: int = 1
    pots: tuple[Pot, ...] = ()
    price: Decimal = Decimal(0)
    block: BlockSend | None = None

    @property
    def split_keys(self) -> frozenset[str]:
        """The counters of several rows."""
        split = {use.key for use in self._chained if use.rows > 1}
        return frozenset(split | {pot.key for pot in self.pots})

    @property
    def _chained(self) -> list[Use]:
        """The uses, and what may be used instead of them."""
        return [one for use in self.uses for one in use.chain if one.rates]

    def keys(self, whole: frozenset[str]) -> list[str]:
        """Return the sorted keys of the rows to look at: all of a counter in ``whole``, else one.

        It is the same share of all counters: two sends that meet at one counter then meet at the
        others too, instead of meeting other sends there.
        """
        share = random.random()  # noqa: S311  # nosec B311
        keys = {self.block.key} if self.block else set()
        for use in self._chained:
            rows = range(use.rows) if use.key in whole else [int(share * use.rows)]
            keys.update(map(use.row_key, rows))
        for pot in self.pots:
            is_whole = pot.key in whole or pot.is_small(self.price)
            keys.update(pot.keys if is_whole else [pot.keys[int(share * pot.rows)]])
        return sorted(keys)

    def look(self) -> None:
        """Raise what ``reserve`` would raise in the committed rows; nothing is locked."""
        keys = self.keys(self.split_keys)
        found = read_rows(keys)
        self.reserve({key: found.get(key, ({}, Decimal(0))) for key in keys})

    def reserve(self, rows: Mapping[str, Row]) -> Reservation:
        """Return the reservation in ``rows``.

        Raises RateLimited, BudgetExhausted, BlockTripped, and RowsUsedUp.
        """
        moment = to_milliseconds(self.now)
        counted = [shares.count(use, rows, moment, self.events) for use in self.uses]
        if partial := [result for result in counted if result.is_partial]:
            raise RowsUsedUp(self, [key for result in partial for key in result.keys])
        _refuse(counted)
        writes = [
            (key, events, rows[key][1])
            for result in counted
            for key, events in result.changes.items()
        ]
        words = [word for result in counted for word in result.words]
        writes += self._pay(rows)
        if self.block is not None:
            writes.append(self._count_block(self.block, rows, moment))
            words.append(blocks.BLOCK)
        return Reservation(writes, self.now, " ".join(words), rows)

    def _pay(self, rows: Mapping[str, Row]) -> list[Write]:
        paid: list[Write] = []
        for pot in self.pots:
            writes = pot.spend(rows, self.price, self.now)
            if writes is None:
                raise RowsUsedUp(self, [pot.key])
            paid += writes
        return paid

    def _count_block(self, send: BlockSend, rows: Mapping[str, Row], moment: int) -> Write:
        events = rows[send.key][0]
        if send.usual is not None:
            blocks.judge(events, moment, send.usual)
        return send.key, blocks.add_open(events, moment), Decimal(0)


def _refuse(counted: list[Counted]) -> None:
    """Raise RateLimited with the longest wait where a use does not fit."""
    refused = [result for result in counted if result.wait]
    if not refused:
        return
    wait, limit = max((result.wait, result.limit) for result in refused)
    ahead = [key for result in counted for key in result.ahead]
    raise ClockSkewRateLimited(limit, wait, ahead) if ahead else RateLimited(limit, wait)
