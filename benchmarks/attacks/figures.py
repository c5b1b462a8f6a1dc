"""What is counted in one simulated attack. Plain numbers: they travel between processes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class People:
    """The logins of honest people of one lane."""

    logins: int = 0
    approved: int = 0
    gave_up: int = 0
    long_codes: int = 0
    #: What refused them -> how many of them.
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def refused_share(self) -> float:
        return sum(self.refused.values()) / self.logins if self.logins else 0.0


@dataclass
class Figures:
    others: People = field(default_factory=People)
    known: People = field(default_factory=People)
    #: Starts that the attacker tried, also those that thinning left out.
    wanted: int = 0
    #: Those that were really tried.
    tried: int = 0
    calls: int = 0
    strangers: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    #: Digits of a code -> the guesses of the attacker that were compared with such a code.
    guesses: Counter[int] = field(default_factory=Counter)
    trips: Counter[str] = field(default_factory=Counter)
    #: Roubles: of the attacker's calls, and of all calls.
    cost: float = 0.0
    #: What only some attacks count.
    extra: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def takeovers(self) -> float:
        """The accounts that the compared guesses open, on average."""
        return float(sum(times / 10**digits for digits, times in self.guesses.items()))

    @property
    def takeovers_of_pool(self) -> float:
        """The same where the provider calls from 10,000 numbers: a longer code is worth no more."""
        return float(sum(n / 10 ** min(digits, 4) for digits, n in self.guesses.items()))

    def multiply_attack(self, times: int) -> None:
        """Count everything of the attacker so many times: one of so many robots was simulated."""
        self.wanted, self.calls = self.wanted * times, self.calls * times
        self.strangers, self.cost = self.strangers * times, self.cost * times
        self.refused = Counter({name: count * times for name, count in self.refused.items()})
        self.guesses = Counter({digits: count * times for digits, count in self.guesses.items()})
