"""Rates such as ``"3/10m"``, and the events that count against them. No database, no settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from math import ceil

#: Above this many events, a rate rounds their times down: see ``Rate.resolution``.
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
    """At most ``count`` events in any ``seconds``.

    Where it is a part of a greater rate, ``whole`` is the count of that one.
    """

    count: int
    seconds: int
    whole: int = 0

    @cached_property
    def resolution(self) -> int:
        """The milliseconds that share one entry; 1: each event keeps its own time.

        Rates of many events keep times to a hundredth of the period, so that a row stays short.
        """
        is_exact = max(self.count, self.whole) <= EXACT_UP_TO
        return 1 if is_exact else max(self.seconds * 1000 // EXACT_UP_TO, 1)

    def bucket(self, moment: int) -> int:
        """Return the time of the entry that an event at ``moment`` is counted in.

        It depends on nothing else, so that the event can be found again and taken back.
        """
        return moment - moment % self.resolution

    def split(self, parts: int) -> list[Rate]:
        """Return ``parts`` rates that together allow as many events."""
        counts = spread(self.count, parts)
        return [Rate(count, self.seconds, whole=self.count) for count in counts]


def spread(total: int, parts: int) -> list[int]:
    """Return ``parts`` numbers that differ by one at most and have the sum ``total``."""
    least, more = divmod(total, parts)
    return [least + (index < more) for index in range(parts)]


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


@lru_cache(maxsize=256)
def split_rate(text: str, parts: int) -> tuple[Rate, ...]:
    """Return ``parts`` rates that together allow as many events as the rate that ``text`` means."""
    return tuple(parse_rate(text).split(parts))


def tenfold(text: str) -> str:
    """Return the rate of ten times as many events as ``text``: ``"200/h"`` for ``"20/h"``."""
    count, _, period = text.partition("/")
    return f"{min(int(count) * 10, MOST_EVENTS)}/{period}"


def live_events(entries: Entries, rate: Rate, moment: int) -> Entries:
    """Return the entries that still count at ``moment``, the oldest first.

    After a clock stepped back there are entries in the future: they count as if noted at
    ``moment``. What the clocks of several servers may differ by is left alone.
    """
    latest = moment + CLOCK_SKEW * 1000
    if not entries or entries[-1][0] <= latest:
        for place, (at, _) in enumerate(entries):
            if seconds_left(at, rate, moment) > 0:
                return entries[place:]
        return []
    return added_up(
        (at if at <= latest else rate.bucket(moment), count)
        for at, count in entries
        if seconds_left(at, rate, moment) > 0
    )


def added_up(entries: Iterable[Iterable[int]]) -> Entries:
    """Return the entries in order, those of one time as one."""
    counts: dict[int, int] = {}
    for at, count in entries:
        counts[at] = counts.get(at, 0) + count
    return [[at, count] for at, count in sorted(counts.items())]


def is_ahead(events: Events, moment: int) -> bool:
    """Return whether an event was noted by a clock that has stepped back since."""
    return any(
        entries and entries[-1][0] > moment + CLOCK_SKEW * 1000 for entries in events.values()
    )


def seconds_left(at: int, rate: Rate, moment: int) -> float:
    """Return for how long the entry ``at`` still counts.

    It counts until its latest possible event is a period old: an event may count for longer than
    its period, but never for less.
    """
    latest = at + rate.resolution - 1
    return (latest - moment) / 1000 + rate.seconds


def seconds_to_wait(live: Entries, rate: Rate, moment: int, more: int = 1) -> int:
    """Return the whole seconds until ``more`` events fit the rate; 0 where they fit now."""
    over = sum(count for _, count in live) + more - rate.count
    if over <= 0:
        return 0
    for at, count in live:
        over -= count
        if over <= 0:
            return ceil(seconds_left(min(at, rate.bucket(moment)), rate, moment))
    return rate.seconds


def add_event(live: Entries, rate: Rate, moment: int, more: int = 1) -> Entries:
    """Return the entries with ``more`` events at ``moment``."""
    bucket = rate.bucket(moment)
    if not live or live[-1][0] < bucket:
        return [*live, [bucket, more]]
    return added_up([*live, [bucket, more]])


def remove_event(entries: Entries, rate: Rate, moment: int) -> Entries:
    """Return the entries without one event that was counted at ``moment``.

    Where its entry is gone, nothing is taken from another one.
    """
    bucket = rate.bucket(moment)
    return [[at, left] for at, count in entries if (left := count - (at == bucket)) > 0]


def to_milliseconds(moment: datetime) -> int:
    """Return the milliseconds from 1970 to ``moment``."""
    return int(moment.timestamp() * 1000)
