"""The latest moment at which something happened, kept in a row of the counters for each kind."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError

from django_voicepassword.limits.counters import database
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import as_aware
from django_voicepassword.transactions import atomic_with_retry, retry


def note(key: str, moment: datetime) -> None:
    """Remember the latest of the moments that are noted under ``key``."""
    row = LimitCounter.objects.filter(key=key)
    if not row.exists():
        try:
            atomic_with_retry(
                lambda: LimitCounter.objects.create(key=key, updated_at=moment), database()
            )
        except IntegrityError:
            # Another process has done it.
            pass
    retry(lambda: row.filter(updated_at__lt=moment).update(updated_at=moment), database())


def latest(key: str) -> datetime | None:
    """Return the latest moment that was noted under ``key``; None: none was."""
    moment = LimitCounter.objects.filter(key=key).values_list("updated_at", flat=True).first()
    return None if moment is None else as_aware(moment)
