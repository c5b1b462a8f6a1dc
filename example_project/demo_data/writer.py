"""Visits into the database, some thousand calls at a time: memory stays flat in the length of the
history.
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth import get_user_model

from demo_data.people import Person
from demo_data.reports import Line
from demo_data.tables import Table
from demo_data.visits import Visit
from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone

#: Calls that are written at once.
CHUNK = 4000


class Writer:
    """``written`` is told of each chunk's calls."""

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
        """Write what was added."""
        self._save_accounts()
        for visit in self._visits:
            if visit.verification is not None and visit.user_of is not None:
                visit.verification.user_id = visit.user_of.user_id
        begun = [visit.verification for visit in self._visits if visit.verification is not None]
        self._verifications.insert([self._verifications.row(one) for one in begun])
        made = sorted(
            (one for visit in self._visits for one in visit.calls),
            key=lambda one: one.call.created_at,
        )
        keys = self._requests.insert_and_tell([self._requests.row(one.call) for one in made])
        self._statuses.insert(
            [(key, *line) for key, one in zip(keys, made, strict=True) for line in one.lines]
        )
        self._visits, self._calls = [], 0
        self._written([one.call for one in made])

    def _save_accounts(self) -> None:
        """The users who logged in first, and their numbers; a number that has an account already
        keeps it.
        """
        people = [
            visit.user_of
            for visit in self._visits
            if visit.user_of is not None and visit.user_of.user is not None
        ]
        first = {person.phone: person for person in reversed(people)}
        found = VerifiedPhone.objects.filter(phone__in=first).values_list("phone", "user_id")
        accounts = dict(found)
        new = [person for phone, person in first.items() if phone not in accounts]
        get_user_model()._default_manager.bulk_create([person.user for person in new])
        VerifiedPhone.objects.bulk_create([_verified(person) for person in new])
        accounts |= {person.phone: person.user.pk for person in new}
        for person in people:
            person.user_id, person.user = accounts[person.phone], None


def _verified(person: Person) -> VerifiedPhone:
    return VerifiedPhone(user=person.user, phone=person.phone, verified_at=person.user.date_joined)
