"""What the templates show: sentences, labels of buttons, and how long a wait is."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.security.tracebacks import Secret
from django_voicepassword.verifications import channels, messages
from django_voicepassword.verifications.description import Description
from django_voicepassword.verifications.limit_texts import duration
from django_voicepassword.verifications.stages import Stage

#: A number from which a flash call may come.
EXAMPLE_NUMBER = "74951234567"
#: The most minutes that the script counts down.
MOST_TEXTS = 60


def start_context() -> dict[str, object]:
    """Context of a page that starts a call: what will happen, and a button for each channel."""
    first, *others = settings.CHANNELS
    return {
        "explanation": start_explanation(first),
        "first_action": start_label(first),
        "other_channels": [
            {"name": name, "label": start_label(name)}
            for name in others
            if name != CallRequest.Channel.SMS
        ],
    }


def start_explanation(channel: str) -> str:
    """Say what will happen after the phone number is submitted."""
    if channel == CallRequest.Channel.VOICE:
        return _("A robot will call you and say the code.")
    digits = channels.code_length(channel)
    return ngettext(
        "We will call you. Do not answer: "
        "the code is the last %(digits)d digit of the number that calls.",
        "We will call you. Do not answer: "
        "the code is the last %(digits)d digits of the number that calls.",
        digits,
    ) % {"digits": digits}


def start_label(channel: str) -> str:
    """Label of the button that starts with ``channel``."""
    return (
        _("Let a robot call and say the code")
        if channel == CallRequest.Channel.VOICE
        else _("Call me")
    )


def shown_number(verification: Verification) -> str:
    """The whole number, for a page of the browser that typed it.

    Its repr hides it: Django logs the context of a template, and reports of errors show it.
    """
    return Secret(phones.national(verification.phone))


def code_context(description: Description) -> dict[str, object]:
    """Context of the code page that depends on the verification alone."""
    resend_at = description.resend_at
    return {
        "verification": description,
        "short_id": description.id[:8],
        "is_open": description.status == Verification.Status.PENDING,
        "resends": resends(description),
        "resend_in": seconds_until(resend_at) if resend_at else None,
        "resend_wait": duration(seconds_until(resend_at)) if resend_at else "",
        "lifetime": lifetime(seconds_until(description.expires_at)),
        "example_number": example_number(description),
    }


def resends(description: Description) -> list[dict[str, object]]:
    """The buttons that send the code again, with ``is_offered`` and ``is_main`` for each.

    The main one helps first. While a code may still be typed, no other button is the main one.
    """
    if description.stage == Stage.UNAVAILABLE and not description.takes_code:
        # The channel is not to blame, so there is nothing to choose.
        again = {"name": description.channel, "label": _("Try again")}
        return [{**again, "is_offered": True, "is_main": True}]
    offered = [name for name in settings.CHANNELS if name in description.next_channels]
    if description.stage == Stage.BLOCKED_NUMBER:
        # The same way is likely to be refused again.
        offered.sort(key=lambda name: name == description.channel)
    main = offered[0] if offered and not description.takes_code else None
    hidden = [name for name in settings.CHANNELS if name not in offered]
    return [
        {
            "name": name,
            "label": messages.channel_action(name),
            "is_offered": name in offered,
            "is_main": name == main,
        }
        for name in offered + hidden
    ]


def lifetime(seconds: int) -> list[str]:
    """How long the code still works, in words: now, and in each of the next minutes.

    The last text is that of the last minute. The script shows one after the other.
    """
    return [_lifetime_text(left) for left in range(seconds, 0, -60)][:MOST_TEXTS]


def _lifetime_text(seconds: int) -> str:
    return _("The code works for %(duration)s more.") % {"duration": duration(max(seconds, 60))}


def example_number(description: Description) -> dict[str, object] | None:
    """How a number that calls looks: what precedes the code, and a place for each of its digits.

    None where no number carries the code.
    """
    if description.channel != CallRequest.Channel.FLASHCALL:
        return None
    digits = description.code_length
    shown = EXAMPLE_NUMBER[: len(EXAMPLE_NUMBER) - digits]
    start = f"+{' '.join(filter(None, (shown[:1], shown[1:4], shown[4:])))}"
    return {"start": start, "places": range(digits), "text": _example_text(digits)}


def _example_text(digits: int) -> str:
    return ngettext(
        "The number that calls looks like this. Its last %(digits)d digit is the code.",
        "The number that calls looks like this. Its last %(digits)d digits are the code.",
        digits,
    ) % {"digits": digits}
