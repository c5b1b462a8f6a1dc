"""Which channel carries the code next. An SMS repeats the code of a call, so it needs one that the
provider took.
"""

from __future__ import annotations

from collections.abc import Sequence

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    ChannelUnavailable,
)
from django_voicepassword.models import CallRequest


def following(calls: Sequence[CallRequest]) -> list[str]:
    """What may be tried next, best first: the channels after the newest call's; at the end of the
    list the last one again.
    """
    newest = calls[-1].channel if calls else None
    channels = list(settings.CHANNELS)
    later = channels[channels.index(newest) + 1 :] if newest in channels else channels
    usable = [channel for channel in later if _is_usable(channel, calls)]
    return usable or possible(calls)[-1:]


def possible(calls: Sequence[CallRequest]) -> list[str]:
    """The channels that a resend may name, after these calls of the verification (oldest first)."""
    return [channel for channel in settings.CHANNELS if _is_usable(channel, calls)]


def choose(channel: str | None, calls: Sequence[CallRequest] = ()) -> str:
    """``channel``, or the next one where it is None. Raises ChannelUnavailable."""
    if channel is None:
        channel = next(iter(following(calls)), None)
    if channel is None:
        raise ChannelUnavailable("no channel is left")
    if channel not in settings.CHANNELS:
        raise ChannelUnavailable(f"the channel must be one of {', '.join(settings.CHANNELS)}")
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
    """Digits of a code: CODE_LENGTH where the provider makes it for a flash call (or the SMS after
    one), else 4.
    """
    if settings.CODE_SOURCE == "service" and channel != CallRequest.Channel.VOICE:
        return int(settings.CODE_LENGTH)
    return 4
