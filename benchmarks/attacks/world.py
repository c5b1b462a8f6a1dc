"""The site under attack: a queue of events under the false clock, numbers, addresses, requests."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from ipaddress import IPv4Address
from itertools import count
from random import Random
from typing import Any

from django.core.management import call_command
from django.http import HttpRequest

from benchmarks.attacks.clock import clock
from benchmarks.attacks.figures import Figures
from benchmarks.attacks.provider import Worker
from django_voicepassword.limits import guard
from django_voicepassword.phones import Phone
from django_voicepassword.security import trusted_devices

#: Seconds between two runs of the guard: those of BEAT_SCHEDULE.
WATCH_EVERY = 15
HOUR, DAY = 3600, 86400
#: The area codes of Russian mobile operators.
PREFIXES = [f"79{code:02}" for code in (*range(10), *range(10, 40), *range(50, 54), *range(60, 70),
                                       *range(77, 90), *range(91, 100))]  # fmt: skip


def is_solved(request: HttpRequest) -> bool:
    """CHALLENGE of the simulated site: people leave a mark on the request, robots never do."""
    return getattr(request, "voicepassword_challenge", "") == "solved"


class World:
    """``second`` is the time: 0 is midnight in Moscow. What is measured begins at ``begins``."""

    def __init__(self, seed: int, begins: float, ends: float) -> None:
        self.rng = Random(seed)
        self.begins, self.ends = begins, ends
        self.second = begins
        self.figures = Figures()
        self._queue: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = count()
        call_command("migrate", run_syncdb=True, verbosity=0)
        self.worker = Worker(Random(seed + 1))

    def at(self, second: float, work: Callable[..., object], *args: Any) -> None:
        heapq.heappush(self._queue, (second, next(self._order), work, args))

    def after(self, seconds: float, work: Callable[..., object], *args: Any) -> None:
        self.at(self.second + seconds, work, *args)

    @property
    def is_measured(self) -> bool:
        return self.begins <= self.second < self.ends

    def run(self, since: float, until: float | None = None) -> None:
        """Run all that is due between ``since`` and the end; the guard watches all along."""
        self.at(since, self._watch)
        until = self.ends if until is None else until
        while self._queue and self._queue[0][0] < until:
            self.second, _, work, args = heapq.heappop(self._queue)
            clock.set(self.second)
            work(*args)

    def _watch(self) -> None:
        guard.watch(clock.moment)
        self.after(WATCH_EVERY, self._watch)

    def number(self, prefix: str = "") -> Phone:
        """Some number, of ``prefix`` if it is given."""
        prefix = prefix or self.rng.choice(PREFIXES)
        digits = 11 - len(prefix)
        return Phone(f"{prefix}{self.rng.randrange(10**digits):0{digits}}")

    def address(self) -> str:
        """The address of somebody at home: hardly anybody else is in its network."""
        first = self.rng.randrange(20, 170)
        return str(IPv4Address((first << 24) + self.rng.randrange(1, 2**24 - 1)))

    @staticmethod
    def request(address: str, device: str = "", is_solved: bool = False) -> HttpRequest:
        request = HttpRequest()
        request.META["REMOTE_ADDR"] = address
        if device:
            request.COOKIES[trusted_devices.COOKIE] = device
        if is_solved:
            request.voicepassword_challenge = "solved"  # type: ignore[attr-defined]
        return request
