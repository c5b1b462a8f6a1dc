"""Writes visits to the database in chunks, so that memory use does not grow with the history."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import get_user_model

from demo_data.reports import Line
from demo_data.subscribers import Subscriber
from demo_data.tables import Table
from demo_data.visits import Visit
from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone

#: Calls in a chunk.
CHUNK = 4000


class Writer:
    """``written`` is called with the calls of each chunk."""

    def __init__(self, written: Callable[[list[CallRequest]], None]) -> None:
        self._written = written
        self._visits: list[Visit] = []
        self._calls = 0
        self._verifications = Table(Verification)
        self._requests = Table(CallRequest)
        self._statuses = Table(CallStatus, ["call_id", *Line._fields])

    def add(self, visit: Visit) -> None:
        self._visits.append(visit)
        self._calls += len(visit.calls)
        if self._calls >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write the visits that were added."""
        self._save_accounts()
        for visit in self._visits:
            if visit.verification is not None and visit.user_of is not None:
                visit.verification.user_id = visit.user_of.user_id
        verifications = [
            visit.verification for visit in self._visits if visit.verification is not None
        ]
        self._verifications.insert(map(self._verifications.row, verifications))
        generated = sorted(
            (call for visit in self._visits for call in visit.calls),
            key=lambda call: call.call.created_at,
        )
        keys = self._requests.insert_returning_keys(
            [self._requests.row(call.call) for call in generated]
        )
        self._statuses.insert(
            [(key, *line) for key, call in zip(keys, generated, strict=True) for line in call.lines]
        )
        self._visits, self._calls = [], 0
        self._written([call.call for call in generated])

    def _save_accounts(self) -> None:
        """Create the users of first logins; a number that already has an account keeps it."""
        people = [
            visit.user_of
            for visit in self._visits
            if visit.user_of is not None and visit.user_of.user is not None
        ]
        first = {subscriber.phone: subscriber for subscriber in reversed(people)}
        verified = VerifiedPhone.objects.filter(phone__in=first).values_list("phone", "user_id")
        accounts = dict(verified)
        new = [subscriber for phone, subscriber in first.items() if phone not in accounts]
        get_user_model()._default_manager.bulk_create([subscriber.user for subscriber in new])
        VerifiedPhone.objects.bulk_create([_verified(subscriber) for subscriber in new])
        accounts |= {subscriber.phone: subscriber.user.pk for subscriber in new}
        for subscriber in people:
            subscriber.user_id, subscriber.user = accounts[subscriber.phone], None


def _verified(subscriber: Subscriber) -> VerifiedPhone:
    return VerifiedPhone(
        user=subscriber.user, phone=subscriber.phone, verified_at=subscriber.user.date_joined
    )
