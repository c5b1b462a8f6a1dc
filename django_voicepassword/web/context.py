"""What the templates show: sentences, button labels and times."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.dateformat import time_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.verifications import channels, messages
from django_voicepassword.verifications.description import Description


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


def code_context(description: Description) -> dict[str, object]:
    """Context of the code page that depends on the verification alone."""
    resend_at = description.resend_at
    return {
        "verification": description,
        "is_open": description.status == Verification.Status.PENDING,
        "channels": [
            {
                "name": name,
                "label": messages.channel_action(name),
                "is_offered": name in description.next_channels,
            }
            for name in settings.CHANNELS
        ],
        "hint": hint_html(description),
        "resend_in": seconds_until(resend_at) if resend_at else None,
        "resend_clock": clock_html(resend_at),
        "expires_clock": clock_html(description.expires_at),
    }


def hint_html(description: Description) -> str:
    """The hint as HTML. Its masked phone is one element, so that no line breaks inside it."""
    phone = format_html('<strong class="vp-phone">{}</strong>', description.phone)
    before, phone_in_hint, after = description.hint.partition(description.phone)
    return format_html("{}{}{}", before, phone if phone_in_hint else "", after)


def clock_html(moment: datetime | None) -> str:
    """A time of day as ``<time>``, in the current time zone.

    The script replaces it by the time in the browser's own time zone.
    """
    if moment is None:
        return ""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), time_format(local, "H:i:s")
    )
