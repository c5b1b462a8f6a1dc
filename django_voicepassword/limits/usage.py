"""What is used of the limits, for whoever looks at them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.limits.rates import live_events, parse_rate, to_milliseconds
from django_voicepassword.limits.subjects import NETWORK, address_subjects
from django_voicepassword.limits.uses import PHONE_SOLVED, Use, make_use, solved_use
from django_voicepassword.models import LimitCounter

#: The limits that LIMITS may name.
NAMES = (
    "phone",
    "phone_guesses",
    "device",
    "device_guesses",
    "long_guesses",
    "ip",
    "prefix",
    "site",
)


def usage(phone: str, now: datetime | None = None) -> list[tuple[str, int, int]]:
    """Return what a number has used of its limits: (``"phone 3/10m"``, used, allowed) per rate.

    Rates of which nothing is used are left out. The wrong guesses for a number of TEST_NUMBERS
    count for each address on its own: they are those of the address with the most.
    """
    sends = Q(key__in=[f"phone:{phone}", solved_use(phone).key])
    counters = LimitCounter.objects.filter(sends | guess_counters(phone))
    names = [key.partition(":")[::2] for key in sorted(counters.values_list("key", flat=True))]
    return _used([_use_of(name, subject) for name, subject in names], now)


def _use_of(name: str, subject: str) -> Use:
    """Return the use of a number's counter; ``limit`` is the counter's own name."""
    solved = solved_use(subject)
    return replace(solved, limit=name) if name == solved.name else make_use(name, subject)


def address_usage(address: str, now: datetime | None = None) -> list[tuple[str, int, int]]:
    """Return what an address, and the network of an IPv6 one, have used of the limit ``ip``.

    It is (``"ip 20/h"``, used, allowed) per rate of which something is used.
    """
    subjects = address_subjects("ip", address).items()
    return _used([make_use(name, subject) for name, subject in subjects], now)


def counters_of(name: str, subject: str) -> Q:
    """Return the condition of all rows of a counter."""
    key = f"{name}:{subject}"
    return Q(key=key) | Q(key__startswith=f"{key}#")


def guess_counters(phone: str) -> Q:
    """Return the condition of the counters that count the wrong guesses of a number.

    They are those of its short codes and of its long ones. A number of TEST_NUMBERS has one for
    each address and network that guessed.
    """
    counters = Q(key__in=[f"phone_guesses:{phone}", f"long_guesses:{phone}"])
    if phones.fixed_code(phone) is not None:
        for limit in ("phone_guesses", f"phone_guesses{NETWORK}"):
            counters |= Q(key__startswith=f"{limit}:{phone}:")
    return counters


def longest_period() -> timedelta:
    """Return the longest period of all rates."""
    rates = [rate for limit in settings.limits.values() for rate in limit]
    return timedelta(seconds=max(parse_rate(rate).seconds for rate in [*rates, PHONE_SOLVED]))


def _used(uses: Iterable[Use], now: datetime | None) -> list[tuple[str, int, int]]:
    """Return each rate with its number of events, and how many it allows.

    Of several uses with the same limit and rate it is the one with the most.
    """
    moment = to_milliseconds(now or timezone.now())
    most: dict[str, tuple[int, int]] = {}
    for use in uses:
        rows = LimitCounter.objects.filter(key__in=map(use.row_key, range(use.rows)))
        events = [json.loads(text) for text in rows.values_list("events", flat=True)]
        for text in use.rates:
            rate = parse_rate(text)
            live = [live_events(row.get(text, []), rate, moment) for row in events]
            used = sum(count for entries in live for _, count in entries)
            name = f"{use.limit} {text}"
            most[name] = max((used, rate.count), most.get(name, (0, rate.count)))
    return [(name, used, allowed) for name, (used, allowed) in most.items() if used]
