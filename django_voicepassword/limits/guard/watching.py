"""The watch: counts what failed in the last hour, beside the request's path."""

from __future__ import annotations

from datetime import datetime

from django_voicepassword.conf import settings
from django_voicepassword.limits.guard import state as states


def watch(now: datetime) -> None:
    """Look at the last hour, and trip what is suspected. Beat runs it every 15 seconds."""
    if settings.FRAUD_GUARD == "off":
        return
    states.note_watch(now)
