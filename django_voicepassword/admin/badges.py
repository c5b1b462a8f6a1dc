"""Coloured badges of states and statuses. Each has its label too, not the colour alone."""

from __future__ import annotations

from django.utils.html import format_html

from django_voicepassword.models import CallRequest, Verification

#: State of a call -> tone of its badge: good, bad, wait (not final yet) or plain.
TONES = {
    "answered": "good",
    "no_answer": "good",
    "busy": "good",
    "canceled": "good",
    "delivered": "good",
    "refused": "bad",
    "unknown": "bad",
    "failed": "bad",
    "not_delivered": "bad",
    "queued": "wait",
    "placing": "wait",
    "placed": "wait",
    "dialing": "wait",
    "sms_queued": "wait",
    "sms_sent": "wait",
}
#: States in which a call was not answered. A flash call has shown its number all the same; a voice
#: call has told its code to nobody.
_UNANSWERED = ("no_answer", "busy", "canceled")
#: Status of a verification -> tone of its badge.
_STATUS_TONES = {"approved": "good", "max_attempts": "bad", "pending": "wait"}


def tone_of(state: str, channel: str) -> str:
    """Return the tone of a state of a call by this channel."""
    if channel == CallRequest.Channel.VOICE and state in _UNANSWERED:
        return "bad"
    return TONES.get(state, "plain")


def badge(tone: str, label: str) -> str:
    """Render a state or status as its label in a coloured badge."""
    return format_html('<span class="vp-badge vp-badge-{}">{}</span>', tone, label)


def call_badge(call: CallRequest) -> str:
    """Render the state of a call."""
    return badge(tone_of(call.state, call.channel), call.get_state_display())


def verification_badge(verification: Verification) -> str:
    """Render the status of a verification as of now."""
    status = Verification.Status(verification.current_status)
    return badge(_STATUS_TONES.get(status, "plain"), str(status.label))
