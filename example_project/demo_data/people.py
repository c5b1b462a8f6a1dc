"""Who is called: made-up numbers of Russian operators, and people who come back."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

#: The operators' blocks that numbers are taken from, and how many people have one. The digits
#: behind are chance.
PREFIXES = {
    **dict.fromkeys(range(7900, 7910), 4),
    **dict.fromkeys(range(7910, 7920), 7),
    **dict.fromkeys(range(7920, 7940), 5),
    **dict.fromkeys([7941, 7950, 7951, 7952, 7953, 7958], 4),
    **dict.fromkeys(range(7960, 7970), 6),
    **dict.fromkeys([7977, 7978, 7980, 7981, 7982, 7983, 7984, 7985, 7986, 7987, 7988, 7989], 4),
    **dict.fromkeys([7991, 7992, 7993, 7994, 7995, 7996, 7999], 3),
}
#: Blocks whose operator lets few flash calls through: how much of the usual conversion is left.
BAD_PREFIXES = {"7941": 0.72, "7958": 0.45}
#: How many of those who log in are here for the first time.
NEW = 0.12
#: The greater, the more often the same people come.
LOYALTY = 1.4


class Person:
    """A number. ``user``: the account that is not saved yet; ``user_id``: the one that is."""

    __slots__ = ("phone", "user", "user_id")

    def __init__(self, phone: str) -> None:
        self.phone = phone
        self.user: Any = None
        self.user_id: int | None = None

    @property
    def has_account(self) -> bool:
        return self.user is not None or self.user_id is not None

    @property
    def luck(self) -> float:
        """How much of the usual conversion of flash calls this number has."""
        return BAD_PREFIXES.get(self.phone[:4], 1.0)


class Crowd:
    """Those who come; ``regulars`` of them were there before."""

    def __init__(self, chance: random.Random, regulars: int) -> None:
        self._chance = chance
        self._blocks = [str(prefix) for prefix in PREFIXES]
        self._weights = list(accumulate(PREFIXES.values()))
        self._regulars = [self.stranger() for _ in range(regulars)]

    def stranger(self) -> Person:
        """Somebody who comes once."""
        block = self._chance.choices(self._blocks, cum_weights=self._weights)[0]
        return Person(f"{block}{self._chance.randrange(10**7):07}")

    def regular(self) -> Person:
        """Somebody who logs in: a new face, or one of the others, the first of them the most often."""
        if self._chance.random() < NEW:
            self._regulars.append(self.stranger())
            return self._regulars[-1]
        return self._regulars[int(len(self._regulars) * self._chance.random() ** LOYALTY)]

    def address(self) -> str:
        """A client's address out of 100.64.0.0/10, which operators use behind their gateways and
        nobody owns.
        """
        bits = self._chance.getrandbits(22)
        return f"100.{64 + (bits >> 16)}.{bits >> 8 & 255}.{bits & 255}"
