"""Figures of many calls: counts that can be added up, and the rates computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

#: The columns of stored rows that a database can add up. ``seconds`` is added bucket by bucket.
ADDITIVE = (
    "calls",
    "answered",
    "unanswered",
    "failed",
    "unknown",
    "waiting",
    "refused",
    "cost",
    "started",
    "approved",
)
#: The buckets of seconds: of one second below _FINE, of five below _COARSE, then of sixty. The last
#: begins at _LONGEST and has no end.
_FINE, _COARSE, _LONGEST = 60, 300, 3600


@dataclass
class Figures:
    """Counts of some calls. ``models.figures.FiguresRow`` describes each of them.

    A rate is from 0 to 1, and None where there is nothing to divide by.
    """

    calls: int = 0
    answered: int = 0
    unanswered: int = 0
    failed: int = 0
    unknown: int = 0
    waiting: int = 0
    refused: int = 0
    cost: Decimal = Decimal(0)
    started: int = 0
    approved: int = 0
    #: Bucket of seconds -> number of approvals.
    seconds: dict[int, int] = field(default_factory=dict)

    def add(self, **counts: int | Decimal) -> None:
        """Add to the counts that are named."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def add_seconds(self, seconds: int, approvals: int) -> None:
        """Add approvals that came ``seconds`` after the call."""
        bucket = bucket_of(seconds)
        self.seconds[bucket] = self.seconds.get(bucket, 0) + approvals

    def include(self, other: Figures) -> None:
        """Add all counts of ``other``."""
        self.add(**{name: getattr(other, name) for name in ADDITIVE})
        for bucket, approvals in other.seconds.items():
            self.seconds[bucket] = self.seconds.get(bucket, 0) + approvals

    def to_json(self) -> dict[str, Any]:
        """Return the counts that are not zero."""
        counts = {name: getattr(self, name) for name in (*ADDITIVE, "seconds")}
        return {**{name: count for name, count in counts.items() if count}, "cost": str(self.cost)}

    @classmethod
    def from_json(cls, counts: Mapping[str, Any]) -> Figures:
        seconds = {int(bucket): number for bucket, number in counts.get("seconds", {}).items()}
        return cls(**{**counts, "cost": Decimal(counts["cost"]), "seconds": seconds})

    @property
    def conversion(self) -> float | None:
        """The share of the started verifications that were approved."""
        return self.approved / self.started if self.started else None

    @property
    def answer_rate(self) -> float | None:
        """The share of calls answered and SMS delivered.

        A flash call shows its code without being answered, so a low rate is normal.
        """
        return self.answered / self.calls if self.calls else None

    @property
    def cost_per_approval(self) -> Decimal | None:
        return (self.cost / self.approved).quantize(Decimal("0.01")) if self.approved else None

    @property
    def median_seconds(self) -> int | None:
        """The median of the seconds from the call to the code, as the beginning of its bucket."""
        middle = (sum(self.seconds.values()) + 1) // 2
        for bucket in sorted(self.seconds):
            middle -= self.seconds[bucket]
            if middle <= 0:
                return bucket
        return None


def bucket_of(seconds: int) -> int:
    """Return the bucket that counts ``seconds``, which is named by its beginning."""
    seconds = max(seconds, 0)
    if seconds < _FINE:
        return seconds
    if seconds < _COARSE:
        return seconds // 5 * 5
    return min(seconds // 60 * 60, _LONGEST)


def read_seconds(stored: Iterable[Mapping[str, int]]) -> dict[int, int]:
    """Return the sum of the histograms of stored rows, whose JSON keys are text."""
    total: dict[int, int] = {}
    for histogram in stored:
        for bucket, approvals in histogram.items():
            total[int(bucket)] = total.get(int(bucket), 0) + approvals
    return total


def exact_money(total: Decimal | float) -> Decimal:
    """Return a sum of money that a database computed, rounded to the four places of the columns.

    SQLite adds decimals in binary floating point: the sum may be off by a tiny fraction.
    """
    return Decimal(str(total)).quantize(Decimal("0.0001"))
