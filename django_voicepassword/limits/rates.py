"""Rates such as ``"3/10m"``, and the events that count against them. No database, no settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import ceil

#: Above this many events, a rate rounds their times: see ``Rate.resolution``.
EXACT_UP_TO = 100
#: The greatest number that a rate may name.
MOST_EVENTS = 999_999_999
#: Seconds by which the clocks of several servers may differ. A time further in the future was noted
#: before a clock stepped back.
CLOCK_SKEW = 60
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"(\d{1,9})/(\d{0,6})([smhd])", re.ASCII)
#: Entries ``[milliseconds since 1970, number of events]``, the oldest first.
Entries = list[list[int]]
#: Rate as text -> its entries.
Events = dict[str, Entries]


@dataclass(frozen=True)
class Rate:
    """At most ``count`` events in any ``seconds``."""

    count: int
    seconds: int

    @property
    def resolution(self) -> int:
        """The milliseconds within which events share one entry; 0: each event has its own.

        Rates of many events keep times to a hundredth of the period, so that a row stays short.
        """
        return 0 if self.count <= EXACT_UP_TO else self.seconds * 1000 // EXACT_UP_TO


@lru_cache(maxsize=256)
def parse_rate(text: str) -> Rate:
    """Return the rate that ``text`` means: ``"3/10m"`` is three events in ten minutes.

    Raises ValueError, whose message describes the form of a rate.
    """
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] and int(match[2]) == 0):
        raise ValueError(
            f'{text!r} is not a rate: write "N/Pu" for N events in P units of s, m, h or d, '
            'for example "3/10m" or "20/h"'
        )
    return Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


def tenfold(text: str) -> str:
    """Return the rate of ten times as many events as ``text``: ``"200/h"`` for ``"20/h"``."""
    count, _, period = text.partition("/")
    return f"{min(int(count) * 10, MOST_EVENTS)}/{period}"


def live_events(entries: Entries, rate: Rate, moment: int) -> Entries:
    """Return the entries that still count at ``moment``.

    After a clock stepped back there are entries in the future: they count as if noted at
    ``moment``.
    """
    start = moment - rate.seconds * 1000
    return [[min(at, moment), count] for at, count in entries if at > start]


def is_ahead(events: Events, moment: int) -> bool:
    """Return whether an event was noted by a clock that has stepped back since."""
    return any(
        entries and entries[-1][0] > moment + CLOCK_SKEW * 1000 for entries in events.values()
    )


def seconds_to_wait(live: Entries, rate: Rate, moment: int, more: int = 1) -> int:
    """Return the whole seconds until ``more`` events fit the rate; 0 where they fit now."""
    over = sum(count for _, count in live) + more - rate.count
    if over <= 0:
        return 0
    for at, count in live:
        over -= count
        if over <= 0:
            return ceil((at - moment) / 1000 + rate.seconds)
    return rate.seconds


def add_event(live: Entries, rate: Rate, moment: int, more: int = 1) -> Entries:
    """Return the entries with ``more`` events at ``moment``."""
    if live and moment - live[-1][0] < rate.resolution:
        # Events that share an entry get the latest time of them: an event may then count for longer
        # than its period, but never for less.
        return [*live[:-1], [moment, live[-1][1] + more]]
    return [*live, [moment, more]]


def remove_event(entries: Entries, moment: int) -> Entries:
    """Return the entries without one event that was counted at ``moment``.

    It is in the first entry that is not older: an entry may have been given a later time.
    """
    for index, (at, count) in enumerate(entries):
        if at >= moment:
            remaining = [[at, count - 1]] if count > 1 else []
            return [*entries[:index], *remaining, *entries[index + 1 :]]
    return entries


def to_milliseconds(moment: datetime) -> int:
    """Return the milliseconds from 1970 to ``moment``."""
    return int(moment.timestamp() * 1000)
