"""Long codes: whether there are any now, and when a number needs one.

Nobody but the provider knows how many digits it makes. Where it refuses to make a long code, or
replies with a shorter one, there are no long codes for an hour; then one is tried again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, NumberRefused, ProviderRefused
from django_voicepassword.limits import alarms, selects
from django_voicepassword.limits.rates import (
    Events,
    is_ahead,
    live_events,
    parse_rate,
    seconds_to_wait,
    to_milliseconds,
)
from django_voicepassword.limits.selects import Counters

logger = logging.getLogger(__name__)

#: What is noted, once an hour, while the provider makes no long codes.
_REFUSED = "long_code_refused"


@dataclass(frozen=True)
class Codes:
    """Which codes a number can have now.

    ``long_length`` is the number of digits of a long code; None where there is none, or where it
    would take no guesses. The waits are the seconds until a code takes guesses again, 0 where one
    takes them: ``device_wait`` a short one on a proven device, which has guesses of its own, and
    ``short_wait`` a short one for whoever asks, or a long one where that is sooner.
    """

    long_length: int | None
    short_wait: int = 0
    device_wait: int = 0


def read(phone: str, now: datetime, is_proven: bool = False) -> Codes:
    """Return which codes a number can have now: one query.

    ``is_proven``: of a trusted device, or of a user whose number it is. Their guesses are counted
    apart, and where these are used up, those of everybody else remain.
    """
    return tell(phone, now, is_proven, selects.counters(keys(phone, is_proven)))


def keys(phone: str, is_proven: bool) -> list[str]:
    """Return the keys of the counters that ``tell`` needs."""
    return [*_guesses(phone, is_proven).values(), alarms.once_key(_REFUSED)]


def _guesses(phone: str, is_proven: bool) -> dict[str, str]:
    """Return the counters of guesses at a number: limit -> key."""
    limits = ["phone_guesses", "long_guesses", *(["device_guesses"] if is_proven else [])]
    if phones.fixed_code(phone) is not None:
        limits = []
    return {limit: f"{limit}:{phone}" for limit in limits}


def tell(phone: str, now: datetime, is_proven: bool, rows: Counters) -> Codes:
    """Return what ``read`` does, from the counters of ``keys``."""
    refused = rows.get(alarms.once_key(_REFUSED))
    is_refused = refused is not None and refused[1] > now - timedelta(hours=1)
    waits = {
        limit: _wait(json.loads(rows[key][0]) if key in rows else {}, settings.limits[limit], now)
        for limit, key in _guesses(phone, is_proven).items()
    }
    short_wait, device_wait = waits.get("phone_guesses", 0), waits.get("device_guesses", 0)
    long_wait = waits.get("long_guesses", 0)
    if is_proven and not device_wait:
        # The guesses of the device are counted first, whatever the length of the code.
        short_wait = long_wait = 0
    if long_wait:
        short_wait = min(short_wait, long_wait)
    return Codes(None if is_refused or long_wait else settings.long_code, short_wait, device_wait)


def _wait(events: Events, rates: list[str], now: datetime) -> int:
    moment = to_milliseconds(now)
    if is_ahead(events, moment):
        # A clock stepped back. The next guess corrects them.
        return 0
    return max(
        (
            seconds_to_wait(live_events(events.get(text, []), rate, moment), rate, moment)
            for text, rate in zip(rates, map(parse_rate, rates), strict=True)
        ),
        default=0,
    )


def note_refusal(error: ProviderRefused) -> None:
    """Note that the provider refused a call for a long code.

    Not for a reason of the account or of the number: that would refuse a short one as well.
    """
    if not isinstance(error, AccountRefused | NumberRefused):
        _note(f"it refused one: {error.error_code}")


def note_reply(asked: int, made: int) -> None:
    """Note how many digits the provider was asked for, and how many it made."""
    if made < asked:
        _note(f"it made {made} digits where {asked} were asked for")


def _note(reason: str) -> None:
    if alarms.is_first_in_hour(_REFUSED):
        logger.error("the provider makes no long codes: %s. None is asked for in this hour", reason)
