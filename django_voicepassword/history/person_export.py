"""All rows of a person as JSON, for the person: written row by row, so that memory does not grow.

Secrets are left out: ids of verifications, tokens and digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet

from django_voicepassword.history.person import Person
from django_voicepassword.limits import traces

#: Rows that are read at once, with the rows that belong to them.
_AT_ONCE = 1000
_VERIFICATION = (
    "phone",
    "purpose",
    "status",
    "attempts",
    "sends",
    "created_at",
    "expires_at",
    "approved_at",
    "closed_at",
    "user_id",
    "ip",
)
_CALL = (
    "phone",
    "channel",
    "state",
    "provider_id",
    "service",
    "price",
    "duration",
    "origin",
    "error_code",
    "created_at",
    "placed_at",
    "finished_at",
    "occurred_at",
    "counted_address",
)
_REPORT = (
    "state",
    "raw_state",
    "source",
    "occurred_at",
    "received_at",
    "duration",
    "price",
    "payload",
)
_REFUSAL = ("phone", "address", "reason", "count", "first_at", "last_at")
_DEVICE = ("phone", "user_id", "created_at", "last_used_at")
_NUMBER = ("phone", "user_id", "verified_at")


def export(person: Person) -> Iterator[str]:
    """Return the parts of a JSON document: an object with a list for each kind of rows."""
    yield "{"
    yield f'"phones": {_text(list(person.phones))}, "user": {_text(person.user_id)}'
    sections: dict[str, Iterable[Any]] = {
        "verified_phones": _rows(person.verified_phones, _NUMBER),
        "verifications": chain.from_iterable(map(_verifications, person.verifications)),
        "calls": chain.from_iterable(map(_calls, person.calls)),
        "refused_attempts": _rows(person.refusals, _REFUSAL),
        "devices": _rows(person.devices, _DEVICE),
        "limits": _rows(traces.counters_of_numbers(person.phones), ("key", "events", "updated_at")),
    }
    for name, rows in sections.items():
        yield f',\n"{name}": ['
        for index, row in enumerate(rows):
            yield f"{',' if index else ''}\n{_text(row)}"
        yield "]"
    yield "}\n"


def _rows(rows: QuerySet[Any], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for row in rows.order_by("pk").iterator(chunk_size=_AT_ONCE):
        yield _values(row, names)


def _verifications(rows: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    """Return each verification with the consent text that the person was shown."""
    read = rows.select_related("consent").order_by("pk")
    for row in read.iterator(chunk_size=_AT_ONCE):
        yield {**_values(row, _VERIFICATION), "consent": row.consent.text if row.consent else None}


def _calls(rows: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    """Return each call with the provider's reports about it."""
    calls = rows.order_by("pk").prefetch_related("statuses")
    for call in calls.iterator(chunk_size=_AT_ONCE):
        reports = [_values(status, _REPORT) for status in call.statuses.all()]
        yield {**_values(call, _CALL), "reports": reports}


def _values(row: Model, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _text(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
