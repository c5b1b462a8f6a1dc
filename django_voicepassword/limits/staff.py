"""What the staff may do how often: search for whole numbers, and unblock a number."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone

from django_voicepassword.exceptions import RateLimited
from django_voicepassword.limits.counters import database, lock_rows, write_rows
from django_voicepassword.limits.rates import (
    add_event,
    live_events,
    parse_rate,
    seconds_to_wait,
    to_milliseconds,
)
from django_voicepassword.limits.subjects import SOLVED, address_subjects
from django_voicepassword.limits.usage import counters_of, guess_counters, usage
from django_voicepassword.models import LimitCounter
from django_voicepassword.transactions import atomic_with_retry, retry

#: Searches for a whole number that each of the staff may make. Whoever knows the last four digits
#: of a Russian number needs thousands of searches to find the others.
SEARCHES = "100/h"
#: How often the wrong guesses of a number are forgotten. Each time, a stranger gets as many guesses
#: again as ``phone_guesses`` allows.
GUESSES_FORGOTTEN = "1/d"
#: How the rates of a number's guesses begin in ``usage``.
_GUESSES = ("phone_guesses ", "long_guesses ")


def count_search(user_key: object, now: datetime | None = None) -> None:
    """Count a search for a whole number by the user with this primary key. Raises RateLimited."""
    wait = _count_one(f"searches:{user_key}", SEARCHES, now or timezone.now())
    if wait:
        raise RateLimited("searches", wait)


def unblock(phone: str, now: datetime | None = None) -> int:
    """Let the sends of a number start from zero, and its guesses too, but these once in 24 hours.

    Whoever asks for it, the guesses of a number count as one. Return the seconds until its guesses
    can be forgotten again; 0 where none are left to forget.
    """
    now = now or timezone.now()

    def forget() -> int:
        sends = [f"phone:{phone}", f"phone{SOLVED}:{phone}"]
        LimitCounter.objects.filter(key__in=sends).delete()
        if not any(rate.startswith(_GUESSES) for rate, _, _ in usage(phone, now)):
            return 0
        wait = _count_one(f"unblocked:{phone}", GUESSES_FORGOTTEN, now)
        if not wait:
            LimitCounter.objects.filter(guess_counters(phone)).delete()
        return wait

    return atomic_with_retry(forget, database())


def unblock_address(address: str) -> None:
    """Let the open sends of an address start from zero, and those of its network.

    ``address`` is what ``client_ip.counted_address`` returns. Nobody's guesses are forgotten, so it
    may be done at any time.
    """
    counters = Q(pk__in=[])
    for name, subject in address_subjects("ip", address).items():
        # Sends for which a challenge was solved have counters of their own.
        counters |= counters_of(name, subject) | counters_of(f"{name}{SOLVED}", subject)
    retry(LimitCounter.objects.filter(counters).delete, database())


def _count_one(key: str, rate_text: str, now: datetime) -> int:
    """Count one event of ``key``; where it does not fit, count nothing.

    Return the seconds to wait, which are 0 where the event was counted.
    """

    def count() -> int:
        events, _amount = lock_rows([key], now)[key]
        rate, moment = parse_rate(rate_text), to_milliseconds(now)
        live = live_events(events.get(rate_text, []), rate, moment)
        wait = seconds_to_wait(live, rate, moment)
        if not wait:
            write_rows([(key, {rate_text: add_event(live, rate, moment)}, Decimal(0))], now)
        return wait

    return atomic_with_retry(count, database())
