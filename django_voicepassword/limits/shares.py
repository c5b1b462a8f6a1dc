"""Counters that are split over several rows, each of which holds a part of the rate.

A send looks at one row, taken at random, and locks nothing that other sends need. Where that row is
used up, the transaction is rolled back and repeated with all rows of the counter locked, so that
nobody is refused while one row has room.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from django_voicepassword.limits.counters import Row
from django_voicepassword.limits.rates import (
    Events,
    add_event,
    is_ahead,
    live_events,
    parse_rate,
    seconds_to_wait,
)
from django_voicepassword.limits.uses import Use


@dataclass
class Counted:
    """What becomes of one use: ``changes`` (key -> events) of its rows, or why it does not fit.

    ``words`` names what has counted it. ``wait`` is the seconds until it fits; 0 where it fits.
    ``is_partial``: it does not fit the rows that were looked at, and there are others. ``ahead``
    are the keys of the rows with events in the future.
    """

    limit: str
    #: The counters that were tried.
    keys: list[str] = field(default_factory=list)
    changes: dict[str, Events] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    wait: int = 0
    is_partial: bool = False
    ahead: list[str] = field(default_factory=list)


def count(use: Use, rows: Mapping[str, Row], moment: int, more: int) -> Counted:
    """Count ``more`` events at ``moment`` in the ``rows`` of a use, or of what is used instead."""
    tried: list[Counted] = []
    for one in use.chain:
        counted = _count_one(one, rows, moment, more)
        if not counted.wait:
            return counted
        tried.append(counted)
    last = tried[-1]
    last.wait = min(counted.wait for counted in tried)
    last.keys = [one.key for one in use.chain]
    last.is_partial = any(counted.is_partial for counted in tried)
    last.ahead = [key for counted in tried for key in counted.ahead]
    return last


def _count_one(use: Use, rows: Mapping[str, Row], moment: int, more: int) -> Counted:
    keys = enumerate(map(use.row_key, range(use.rows)))
    looked_at = {row: rows[key][0] for row, key in keys if key in rows}
    looks = {rate: _Look(use, rate, looked_at, moment, more) for rate in use.rates}
    counted = Counted(use.limit)
    longest = max((min(look.waits.values()) for look in looks.values()), default=0)
    if longest:
        counted.wait = longest
        counted.is_partial = len(looked_at) < use.rows
        counted.ahead = [
            use.row_key(row) for row, events in looked_at.items() if is_ahead(events, moment)
        ]
        return counted
    chosen = _choose([look.rows_with_room for look in looks.values()])
    for rate, row in zip(use.rates, chosen, strict=True):
        looks[rate].add(row)
    for row in set(chosen):
        counted.changes[use.row_key(row)] = {rate: look.live[row] for rate, look in looks.items()}
    counted.words = _words(use, chosen)
    return counted


class _Look:
    """The rows of a use as one of its rates sees them: what still counts, and how long to wait."""

    def __init__(
        self, use: Use, rate: str, looked_at: Mapping[int, Events], moment: int, more: int
    ) -> None:
        self._shares, self._moment = use.shares(rate), moment
        # A rate that allows fewer events than come at once counts as many as it allows, so that
        # they still fit where nothing else was counted.
        self._more = min(more, max(parse_rate(rate).count, 1))
        self.live = {
            row: live_events(events.get(rate, []), self._shares[row], moment)
            for row, events in looked_at.items()
        }
        self.waits = {
            row: seconds_to_wait(live, self._shares[row], moment, self._more)
            for row, live in self.live.items()
        }

    @property
    def rows_with_room(self) -> set[int]:
        return {row for row, wait in self.waits.items() if not wait}

    def add(self, row: int) -> None:
        self.live[row] = add_event(self.live[row], self._shares[row], self._moment, self._more)


def _choose(rows_with_room: list[set[int]]) -> list[int]:
    """Return the row for each rate: the same one where one has room for all of them."""
    common = set.intersection(*rows_with_room) if rows_with_room else set()
    if common:
        return [_pick(common)] * len(rows_with_room)
    return [_pick(rows) for rows in rows_with_room]


def _pick(rows: set[int]) -> int:
    return random.choice(sorted(rows))  # noqa: S311  # nosec B311


def _words(use: Use, chosen: list[int]) -> list[str]:
    """Return what ``CallRequest.counted`` says of a use: ``site``, or ``site#3`` for a row.

    Where the rates were counted in different rows, each is named: ``site#3:200/h``.
    """
    if use.rows == 1:
        return [use.name] if chosen else []
    if len(set(chosen)) == 1:
        return [f"{use.name}#{chosen[0]}"]
    return [f"{use.name}#{row}:{rate}" for rate, row in zip(use.rates, chosen, strict=True)]
