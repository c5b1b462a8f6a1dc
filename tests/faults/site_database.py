"""The database of a site that runs in other processes, read and changed from the test."""

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

#: States in which a call waits for a worker. No call may stay in one.
UNSETTLED = ("queued", "placing")


class SiteDatabase:
    """A second database beside the tests' own. ``blocker``: the fixture ``django_db_blocker``."""

    def __init__(self, address: str, blocker: Any) -> None:
        self._alias = f"site_{uuid4().hex[:8]}"
        self._blocker = blocker
        databases = {"default": {}, self._alias: environ.Env.db_url_config(address)}
        connections.settings[self._alias] = connections.configure_settings(databases)[self._alias]

    def close(self) -> None:
        del connections.settings[self._alias]

    def calls(self, *numbers: str) -> list[CallRequest]:
        """Return the calls of these numbers, or all calls, the oldest first."""
        with self._open():
            calls = (
                CallRequest.objects.using(self._alias).select_related("verification").order_by("id")
            )
            return list(calls.filter(phone__in=numbers) if numbers else calls)

    def states(self, *numbers: str) -> list[str]:
        return [call.state for call in self.calls(*numbers)]

    def is_settled(self, *numbers: str) -> bool:
        """Return whether no call waits for a worker."""
        return not set(self.states(*numbers)) & set(UNSETTLED)

    def statuses(self, number: str) -> list[CallStatus]:
        """Return the reports about the newest call of a number."""
        call = self.calls(number)[-1]
        with self._open():
            return list(
                CallStatus.objects.using(self._alias).filter(call_id=call.pk).order_by("id")
            )

    def verification(self, key: str) -> Verification:
        with self._open():
            return Verification.objects.using(self._alias).get(id=key)

    def age(self, time: timedelta, verifications: bool = False) -> None:
        """Move the times of every call into the past, and with ``verifications`` theirs too."""
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
        """Allow queries, and close the connection afterwards: the server may be restarted."""
        with self._blocker.unblock():
            try:
                yield
            finally:
                connections[self._alias].close()
