"""The people who are called: made-up numbers of Russian operators; some people come back."""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

#: Prefix of an operator -> its weight. The digits after the prefix are random.
PREFIXES = {
    **dict.fromkeys(range(7900, 7910), 4),
    **dict.fromkeys(range(7910, 7920), 7),
    **dict.fromkeys(range(7920, 7940), 5),
    **dict.fromkeys([7941, 7950, 7951, 7952, 7953, 7958], 4),
    **dict.fromkeys(range(7960, 7970), 6),
    **dict.fromkeys([7977, 7978, 7980, 7981, 7982, 7983, 7984, 7985, 7986, 7987, 7988, 7989], 4),
    **dict.fromkeys([7991, 7992, 7993, 7994, 7995, 7996, 7999], 3),
}
#: Operators that let few flash calls through -> the share of the usual success rate.
BAD_PREFIXES = {"7941": 0.72, "7958": 0.45}
#: The share of logins by new people.
NEW = 0.12
#: The greater it is, the more often the same people come.
LOYALTY = 1.4


class Subscriber:
    """A person with a number. ``user``: an unsaved account; ``user_id``: of a saved account."""

    __slots__ = ("phone", "user", "user_id")

    def __init__(self, phone: str) -> None:
        self.phone = phone
        self.user: Any = None
        self.user_id: int | None = None

    @property
    def has_account(self) -> bool:
        return self.user is not None or self.user_id is not None

    @property
    def flash_call_rate(self) -> float:
        """Return the share of the usual success rate of flash calls."""
        return BAD_PREFIXES.get(self.phone[:4], 1.0)


class Subscribers:
    """Draws people; ``regulars``: how many have come before the history begins."""

    def __init__(self, rng: random.Random, regulars: int) -> None:
        self._rng = rng
        self._blocks = [str(prefix) for prefix in PREFIXES]
        self._weights = list(accumulate(PREFIXES.values()))
        self._regulars = [self.stranger() for _ in range(regulars)]

    def stranger(self) -> Subscriber:
        """Return somebody who comes once."""
        block = self._rng.choices(self._blocks, cum_weights=self._weights)[0]
        return Subscriber(f"{block}{self._rng.randrange(10**7):07}")

    def regular(self) -> Subscriber:
        """Return somebody who logs in: a new person, or a known one, the first ones most often."""
        if self._rng.random() < NEW:
            self._regulars.append(self.stranger())
            return self._regulars[-1]
        return self._regulars[int(len(self._regulars) * self._rng.random() ** LOYALTY)]

    def address(self) -> str:
        """Return a client address from 100.64.0.0/10, which is reserved for operators' networks."""
        bits = self._rng.getrandbits(22)
        return f"100.{64 + (bits >> 16)}.{bits >> 8 & 255}.{bits & 255}"
