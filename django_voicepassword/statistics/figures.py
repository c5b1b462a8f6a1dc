"""What many calls come to: counts that add up, and what is reckoned from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

#: Columns of the stored rows that add up; ``seconds`` does so bucket by bucket.
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
#: Seconds up to which each has a bucket of its own, then buckets of five, then of sixty, and one
#: for all beyond.
_FINE, _COARSE, _LONGEST = 60, 300, 3600


@dataclass
class Figures:
    """Counts of some calls; ``models.figures.Figures`` says what each means. Rates are from 0 to 1,
    None without a base.
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
    #: Bucket of seconds -> approvals.
    seconds: dict[int, int] = field(default_factory=dict)

    def add(self, **counts: Any) -> None:
        """Add counts by name."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)

    def add_seconds(self, seconds: int, approvals: int) -> None:
        """Add approvals that took so many seconds from the call to the code."""
        bucket = bucket_of(seconds)
        self.seconds[bucket] = self.seconds.get(bucket, 0) + approvals

    def include(self, other: Figures) -> None:
        """Add all of another one."""
        self.add(**{name: getattr(other, name) for name in ADDITIVE})
        for bucket, approvals in other.seconds.items():
            self.seconds[bucket] = self.seconds.get(bucket, 0) + approvals

    @property
    def conversion(self) -> float | None:
        """Verifications approved, of those started."""
        return self.approved / self.started if self.started else None

    @property
    def answer_rate(self) -> float | None:
        """Calls answered and SMS delivered, of all. A flash call need not be answered to do its
        work.
        """
        return self.answered / self.calls if self.calls else None

    @property
    def cost_per_approval(self) -> Decimal | None:
        return (self.cost / self.approved).quantize(Decimal("0.01")) if self.approved else None

    @property
    def median_seconds(self) -> int | None:
        """Seconds from the call to the code, of the approval in the middle; beyond a minute the
        beginning of its bucket.
        """
        middle = (sum(self.seconds.values()) + 1) // 2
        for bucket in sorted(self.seconds):
            middle -= self.seconds[bucket]
            if middle <= 0:
                return bucket
        return None


def bucket_of(seconds: int) -> int:
    """The bucket of a time, named by its beginning."""
    seconds = max(seconds, 0)
    if seconds < _FINE:
        return seconds
    if seconds < _COARSE:
        return seconds // 5 * 5
    return min(seconds // 60 * 60, _LONGEST)


def read_seconds(stored: Iterable[Mapping[str, int]]) -> dict[int, int]:
    """The histograms of stored rows, added up."""
    total: dict[int, int] = {}
    for one in stored:
        for bucket, approvals in one.items():
            total[int(bucket)] = total.get(int(bucket), 0) + approvals
    return total
