"""Which channel carries the code next.

An SMS repeats the code of a call, so it is available only after the provider has taken a call. A
long code comes by flash call alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    ChannelUnavailable,
)
from django_voicepassword.models import CallRequest

#: The only channel that a long code comes by.
LONG_CODE_CHANNEL = CallRequest.Channel.FLASHCALL


def following(calls: Sequence[CallRequest], is_long: bool = False) -> list[str]:
    """The channels that may be tried next, best first.

    They are those that follow the channel of the newest call. After the last one they are all, that
    one first. After a call to a busy line its channel is there too: it may succeed now.
    ``is_long``: the code is a long one.
    """
    usable = possible(calls, is_long)
    if is_long or not calls:
        return usable
    newest = calls[-1].channel
    channels = list(settings.CHANNELS)
    place = channels.index(newest) if newest in channels else -1
    later = [channel for channel in usable if channels.index(channel) > place]
    again = [channel for channel in usable if channel == newest]
    if later:
        return later + (again if calls[-1].state == CallRequest.State.BUSY else [])
    return again + [channel for channel in usable if channel != newest]


def possible(calls: Sequence[CallRequest], is_long: bool = False) -> list[str]:
    """The channels that a resend may name after ``calls`` (oldest first).

    ``is_long``: the code is a long one.
    """
    if is_long:
        return [channel for channel in settings.CHANNELS if channel == LONG_CODE_CHANNEL]
    return [channel for channel in settings.CHANNELS if _is_usable(channel, calls)]


def choose(channel: str | None, calls: Sequence[CallRequest] = (), is_long: bool = False) -> str:
    """``channel`` if it is available; the next one for None. Raises ChannelUnavailable."""
    if channel is None:
        channel = next(iter(following(calls, is_long)), None)
    if channel is None:
        raise ChannelUnavailable("no channel is left")
    if channel not in settings.CHANNELS:
        raise ChannelUnavailable(f"the channel must be one of {', '.join(settings.CHANNELS)}")
    if is_long and channel != LONG_CODE_CHANNEL:
        raise ChannelUnavailable("a long code comes by flash call alone")
    if not _is_usable(channel, calls):
        raise ChannelUnavailable(
            "an SMS repeats the code of a call: there is none yet that the provider took"
        )
    return channel


def _is_usable(channel: str, calls: Sequence[CallRequest]) -> bool:
    return channel != CallRequest.Channel.SMS or any(
        call.provider_id and call.channel != channel for call in calls
    )


def code_length(channel: str) -> int:
    """The number of digits of a code.

    CODE_LENGTH where the provider makes the code of a flash call or of the SMS after it, else 4.
    """
    if settings.CODE_SOURCE == "service" and channel != CallRequest.Channel.VOICE:
        return int(settings.CODE_LENGTH)
    return 4
