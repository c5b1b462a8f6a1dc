"""The rows of a site of other processes, read and made older from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import environ
from django.db import connections
from django.db.models import F

from django_voicepassword.models import CallRequest, CallStatus, Verification

#: In these a call is on its way still: none may stay in one.
ON_THE_WAY = ("queued", "placing")


class Books:
    """``books.calls("79990000001")``; ``blocker``: the fixture ``django_db_blocker``. The tests
    keep their own database.
    """

    def __init__(self, address: str, blocker: Any) -> None:
        self._alias = f"site_{uuid4().hex[:8]}"
        self._blocker = blocker
        given = {"default": {}, self._alias: environ.Env.db_url_config(address)}
        connections.settings[self._alias] = connections.configure_settings(given)[self._alias]

    def close(self) -> None:
        del connections.settings[self._alias]

    def calls(self, *numbers: str) -> list[CallRequest]:
        """The calls of these numbers, or all, oldest first."""
        with self._open():
            chosen = (
                CallRequest.objects.using(self._alias).select_related("verification").order_by("id")
            )
            return list(chosen.filter(phone__in=numbers) if numbers else chosen)

    def states(self, *numbers: str) -> list[str]:
        return [call.state for call in self.calls(*numbers)]

    def is_settled(self, *numbers: str) -> bool:
        """Is no call on its way any more?"""
        return not set(self.states(*numbers)) & set(ON_THE_WAY)

    def statuses(self, number: str) -> list[CallStatus]:
        """What was told of the newest call of a number."""
        call = self.calls(number)[-1]
        with self._open():
            return list(
                CallStatus.objects.using(self._alias).filter(call_id=call.pk).order_by("id")
            )

    def verification(self, key: str) -> Verification:
        with self._open():
            return Verification.objects.using(self._alias).get(id=key)

    def age(self, time: timedelta, verifications: bool = False) -> None:
        """That much time passes for every call, and for the verifications if they are meant too."""
        with self._open():
            names = [
                "created_at",
                "claimed_at",
                "placed_at",
                "finished_at",
                "occurred_at",
                "next_poll_at",
            ]
            CallRequest.objects.using(self._alias).update(
                **{name: F(name) - time for name in names}
            )
            if verifications:
                names = ["created_at", "expires_at", "approved_at", "last_sent_at"]
                Verification.objects.using(self._alias).update(
                    **{name: F(name) - time for name in names}
                )

    @contextmanager
    def _open(self) -> Iterator[None]:
        """A connection for a moment: nothing of it stays when the server is restarted."""
        with self._blocker.unblock():
            try:
                yield
            finally:
                connections[self._alias].close()
