"""The words and moments that the templates show."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Any

from django.utils import timezone
from django.utils.dateformat import time_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.description import Description


def starting_with() -> dict[str, Any]:
    """What a page says that starts a call: what will happen, and its buttons."""
    first, *others = settings.CHANNELS
    return {
        "explanation": explanation(first),
        "first_action": first_action(first),
        "other_channels": [
            {"name": name, "label": first_action(name)}
            for name in others
            if name != CallRequest.Channel.SMS
        ],
    }


def explanation(channel: str) -> str:
    """What will happen after the phone is sent."""
    if channel == CallRequest.Channel.VOICE:
        return _("A robot will call you and say the code.")
    digits = channels.code_length(channel)
    return ngettext(
        "We will call you. Do not answer: the code is the last %(digits)d digit of the number that calls.",
        "We will call you. Do not answer: the code is the last %(digits)d digits of the number that calls.",
        digits,
    ) % {"digits": digits}


def first_action(channel: str) -> str:
    """What a button says that starts with ``channel``."""
    return (
        _("Let a robot call and say the code")
        if channel == CallRequest.Channel.VOICE
        else _("Call me")
    )


def hint(description: Description) -> str:
    """The sentence for the person as HTML, with its masked phone in one piece."""
    phone = format_html('<strong class="vp-phone">{}</strong>', description.phone)
    before, found, after = description.hint.partition(description.phone)
    return format_html("{}{}{}", before, phone if found else "", after)


def seconds_until(moment: datetime | None) -> int | None:
    """Whole seconds from now, 0 for a moment that is past."""
    return None if moment is None else max(ceil((moment - timezone.now()).total_seconds()), 0)


def clock(moment: datetime | None) -> str:
    """A time of day in the current time zone; the script writes it anew in the browser's own."""
    if moment is None:
        return ""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), time_format(local, "H:i:s")
    )
