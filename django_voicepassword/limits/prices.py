"""The price that a send is expected to have, which is what DAILY_BUDGET reserves for it.

It is the dearest price of the last 30 days on that channel, for numbers of that operator. The
counter of each channel and operator holds a short list of ``[milliseconds, ten-thousandths]``, the
oldest first. A price that is older and not dearer than another one can never be the dearest again,
so it is dropped: the list is as long as the number of times that the price fell.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import database, lock_rows, write_rows
from django_voicepassword.limits.rates import Entries, to_milliseconds
from django_voicepassword.models import CallRequest, LimitCounter
from django_voicepassword.transactions import atomic_with_retry

#: The expected price of a send, in the provider's currency, until a price was seen. These are the
#: prices in the examples of the provider's document.
FIRST_PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}
#: A price that is seen again within this time is not written again.
NOTED_AGAIN_AFTER = timedelta(hours=1)
#: How long after it was written a price is expected: 30 days after it was last seen, or longer.
REMEMBERED = timedelta(days=30) + NOTED_AGAIN_AFTER
#: The calls among which ``dearest_price`` looks.
NEWEST_CALLS = 1000
#: Four decimal places, as in every column of money.
_SCALE = 10_000


def expected_price(channel: str, phone: str, now: datetime) -> Decimal:
    """Return the price to expect of a send to ``phone``: the dearest one of the last 30 days."""
    noted = LimitCounter.objects.filter(key=_key(channel, phone)).values_list("events", flat=True)
    entries = _live(_entries(json.loads(noted.first() or "{}")), now)
    dearest = max((price for _, price in entries), default=None)
    return FIRST_PRICES[channel] if dearest is None else Decimal(dearest) / _SCALE


def dearest_price() -> Decimal:
    """Return the dearest price of a send on one of CHANNELS.

    Of each channel it is the dearest among the newest calls, or FIRST_PRICES where there is none.
    """
    newest = CallRequest.objects.order_by("-created_at").values_list("channel", "price")
    seen: dict[str, Decimal] = {}
    for channel, price in newest[:NEWEST_CALLS]:
        if price is not None:
            seen[channel] = max(price, seen.get(channel, price))
    return max(seen.get(channel, FIRST_PRICES[channel]) for channel in settings.CHANNELS)


def note_price(channel: str, phone: str, price: Decimal, now: datetime) -> None:
    """Remember that a send to ``phone`` cost ``price``."""
    key, entry = _key(channel, phone), [to_milliseconds(now), int(price * _SCALE)]
    noted = LimitCounter.objects.filter(key=key).values_list("events", flat=True).first()
    if _is_noted(_entries(json.loads(noted or "{}")), entry):
        return

    def note() -> None:
        events, _ = lock_rows([key], now)[key]
        dearer = [old for old in _live(_entries(events), now) if old[1] > entry[1]]
        write_rows([(key, {"seen": [*dearer, entry]}, price)], now)

    atomic_with_retry(note, database())


def price_of_send(channel: str, phone: str, now: datetime) -> Decimal | None:
    """Return the price to reserve in DAILY_BUDGET for one send; None without DAILY_BUDGET.

    Call it before the transaction of the send. On SQLite a transaction that begins with a read
    cannot wait for a writer; it fails.
    """
    return expected_price(channel, phone, now) if settings.DAILY_BUDGET is not None else None


def _key(channel: str, phone: str) -> str:
    return f"price:{channel}:{phones.operator_prefix(phone)}"


def _entries(events: dict[str, Entries]) -> Entries:
    return events.get("seen", [])


def _live(entries: Entries, now: datetime) -> Entries:
    oldest = to_milliseconds(now - REMEMBERED)
    return [entry for entry in entries if entry[0] >= oldest]


def _is_noted(entries: Entries, entry: list[int]) -> bool:
    """Return whether this price, or a dearer one, was seen a moment ago."""
    since = entry[0] - NOTED_AGAIN_AFTER.total_seconds() * 1000
    return any(at > since and price >= entry[1] for at, price in entries)
