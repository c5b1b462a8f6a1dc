"""A rate, ``"3/10m"``, and the events that count against it. Pure: no database, no settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import ceil

#: Rates of more events than this keep their times coarser.
FINE = 100
#: Seconds by which the clocks of several servers may differ. What is further in the future was
#: noted before a clock stepped back.
SKEW = 60
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


@lru_cache(maxsize=256)
def parse_rate(text: str) -> Rate:
    """``"3/10m"`` is three in ten minutes. Raises ValueError that says the form."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or (match[2] and int(match[2]) == 0):
        raise ValueError(
            f'{text!r} is no rate: write "N/Pu", N events in P units of s, m, h or d, as "3/10m" or "20/h"'
        )
    return Rate(int(match[1]), int(match[2] or 1) * _UNITS[match[3]])


def live_events(entries: list[list[int]], rate: Rate, moment: int) -> list[list[int]]:
    """The entries that still count. A clock that stepped back leaves times in the future: they
    count from now.
    """
    start = moment - rate.seconds * 1000
    return [[min(at, moment), count] for at, count in entries if at > start]


def is_ahead(events: Events, moment: int) -> bool:
    """Was anything noted by a clock that has stepped back since?"""
    return any(entries and entries[-1][0] > moment + SKEW * 1000 for entries in events.values())


def seconds_to_wait(live: list[list[int]], rate: Rate, moment: int) -> int:
    """Whole seconds until one more event fits; 0 where it fits now."""
    over = sum(count for _, count in live) + 1 - rate.count
    if over <= 0:
        return 0
    for at, count in live:
        over -= count
        if over <= 0:
            return ceil((at - moment) / 1000 + rate.seconds)
    return rate.seconds


def add_event(live: list[list[int]], rate: Rate, moment: int) -> list[list[int]]:
    if live and moment - live[-1][0] < rate.resolution:
        # The later time is kept for both: an event may count longer than its period, never shorter.
        return [*live[:-1], [moment, live[-1][1] + 1]]
    return [*live, [moment, 1]]


def remove_event(entries: list[list[int]], moment: int) -> list[list[int]]:
    for index, (at, count) in enumerate(entries):
        if at >= moment:
            left = [[at, count - 1]] if count > 1 else []
            return [*entries[:index], *left, *entries[index + 1 :]]
    return entries


def to_milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
