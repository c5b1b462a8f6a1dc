"""The tables that the lean floors write: only the columns that their statements need.

They belong to the benchmark, not to the package. ``databases.Database`` creates them next to the
tables of the package. They hold no history, whatever ``--history`` says.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Challenge(models.Model):
    """A code that was sent to a phone number. The id is random, because it is a secret."""

    # Django adds it; mypy reads the settings of the tests, which do not have this app.
    objects: ClassVar[models.Manager[Challenge]]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phone = models.CharField(max_length=15)
    digest = models.CharField(max_length=64)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_approved = models.BooleanField(default=False)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class Call(models.Model):
    """A call that delivers the code."""

    objects: ClassVar[models.Manager[Call]]

    challenge = models.ForeignKey(Challenge, on_delete=models.CASCADE)
    phone = models.CharField(max_length=15)
    state = models.CharField(max_length=16, default="queued")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.pk)


class Report(models.Model):
    """What the provider reported about a call."""

    objects: ClassVar[models.Manager[Report]]

    call = models.ForeignKey(Call, on_delete=models.CASCADE)
    state = models.CharField(max_length=16)
    received_at = models.DateTimeField()
    payload = models.JSONField()

    def __str__(self) -> str:
        return str(self.pk)
