"""Questions of the doctor to workers, and their answers: a row each, for some seconds.

A row is the one way back from a worker that every project has: Celery may have no result backend,
and each process may have a cache of its own. A worker only changes the row that the doctor has
made, so an answer that comes late leaves nothing behind. Rows of a doctor that was killed are
deleted by ``counters.purge``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_voicepassword.conf import DEFAULTS, settings
from django_voicepassword.limits.counters import database
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import as_aware
from django_voicepassword.transactions import retry

#: What the digests are salted with, and the length that tells two values apart.
_SALT, _DIGITS = "django_voicepassword.probes", 16


@dataclass(frozen=True)
class Answer:
    """What a worker said: the time of its clock, and ``fingerprint`` of its settings."""

    at: datetime
    fingerprint: dict[str, str]


def ask() -> str:
    """Make a question and return its key, which ``answer`` takes."""
    key = f"probe:{uuid.uuid4().hex}"
    now = timezone.now()
    retry(lambda: LimitCounter.objects.create(key=key, updated_at=now), database())
    return key


def answer(key: str) -> None:
    """Answer the question ``key``, if whoever asked still waits."""
    row = LimitCounter.objects.filter(key=key, key__startswith="probe:")
    values = {"events": json.dumps(fingerprint()), "updated_at": timezone.now()}
    retry(lambda: row.update(**values), database())


def answers(keys: Iterable[str]) -> dict[str, Answer]:
    """Return the answers that have come: key -> answer."""
    rows = LimitCounter.objects.filter(key__in=list(keys)).exclude(events="{}")
    return {row.key: Answer(as_aware(row.updated_at), json.loads(row.events)) for row in rows}


def forget(keys: Iterable[str]) -> None:
    """Delete questions, answered or not."""
    rows = LimitCounter.objects.filter(key__in=list(keys))
    retry(rows.delete, database())


def fingerprint() -> dict[str, str]:
    """Return a digest of each setting of this process, keyed by SECRET_KEY: name -> digest.

    Two processes with the same SECRET_KEY have the same digest for the same value. Nobody can tell
    the value from it.
    """
    values = {name: getattr(settings, name) for name in DEFAULTS}
    return {"SECRET_KEY": _digest("SECRET_KEY", ""), **_digests(values)}


def differences(other: dict[str, str]) -> list[str]:
    """Return the names of the settings that another process has other values of.

    Where its SECRET_KEY differs, nothing else can be compared.
    """
    ours = fingerprint()
    if other.get("SECRET_KEY") != ours["SECRET_KEY"]:
        return ["SECRET_KEY"]
    return sorted(name for name in ours.keys() | other.keys() if ours.get(name) != other.get(name))


def _digests(values: dict[str, Any]) -> dict[str, str]:
    return {name: _digest(name, value) for name, value in values.items()}


def _digest(name: str, value: Any) -> str:
    text = json.dumps([name, value], sort_keys=True, default=_plain)
    key = salted_hmac(_SALT, text, secret=django_settings.SECRET_KEY, algorithm="sha256")
    return key.hexdigest()[:_DIGITS]


def _plain(value: object) -> object:
    """A value that JSON has no type for. The order of a set differs between processes."""
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)
