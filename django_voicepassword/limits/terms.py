"""The terms of a send: who asks for it, from where, and what was asked of the person before."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django_voicepassword.models import CallRequest, FraudTrip


@dataclass(frozen=True)
class Terms:
    """What the limits must know of one send.

    ``address`` is what ``client_ip.counted_address`` returns. ``price`` is what to reserve in
    DAILY_BUDGET; None without one. ``is_solved``: the person has solved a challenge for it.
    ``is_long``: its code is a long one, because of ``trips``, which cover the send.
    ``usual`` is the usual conversion of the unproven lane (0 to 1), against which the block of the
    number is judged. It is None where the block is not judged: the guard is off, an outage excuses
    the failures, or the block's trip is open already.
    """

    lane: str = CallRequest.Lane.UNPROVEN
    address: str = ""
    price: Decimal | None = None
    is_solved: bool = False
    is_long: bool = False
    trips: tuple[FraudTrip, ...] = ()
    usual: float | None = None

    @property
    def is_proven(self) -> bool:
        return self.lane == CallRequest.Lane.PROVEN


class BlockTripped(Exception):
    """The block of a number has so many failures that the guard must trip. Nothing was counted.

    ``failures`` are the open sends of the last hour, ``conversion`` is the share of the hour's
    sends that were approved. Whoever catches it records the trip in a transaction of its own, then
    repeats the send with other terms.
    """

    def __init__(self, failures: int, threshold: int, conversion: float) -> None:
        super().__init__(f"a block of numbers has {failures} failures in an hour")
        self.failures = failures
        self.threshold = threshold
        self.conversion = conversion
