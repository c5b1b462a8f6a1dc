"""Until when RETENTION has deleted history. A sync must not bring it back.

It is remembered because RETENTION_DAYS may be raised, or removed, after a purge.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError

from django_voicepassword.limits.counters import database
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import as_aware
from django_voicepassword.transactions import atomic_with_retry, retry

_KEY = "purged:"


def note(before: datetime) -> None:
    """Remember that calls created before this moment are being deleted."""
    row = LimitCounter.objects.filter(key=_KEY)
    if not row.exists():
        try:
            atomic_with_retry(
                lambda: LimitCounter.objects.create(key=_KEY, updated_at=before), database()
            )
        except IntegrityError:
            # Another process has done it.
            pass
    retry(lambda: row.filter(updated_at__lt=before).update(updated_at=before), database())


def until() -> datetime | None:
    """Return the moment before which calls may have been deleted; None: none was deleted."""
    moment = LimitCounter.objects.filter(key=_KEY).values_list("updated_at", flat=True).first()
    return None if moment is None else as_aware(moment)
