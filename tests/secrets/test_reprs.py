"""No repr and no str of anything of ours shows a key, a code, a whole number, or the id of a
verification.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import models

import django_voicepassword
from django_voicepassword import verifications
from django_voicepassword.client import Client
from django_voicepassword.exceptions import ProviderError
from django_voicepassword.models import Verification
from django_voicepassword.provider import protocol
from django_voicepassword.provider.console import ConsoleClient
from django_voicepassword.testing import MemoryClient, Sent, outbox
from django_voicepassword.verifications import description
from django_voicepassword.verifications.description import Description
from tests.secrets.faults import CODE, KEY, PHONE, WRITTEN
from tests.secrets.traces import Known

ID = uuid4()
KNOWN = Known({KEY, CODE, str(ID), ID.hex, "a" * 64}, phones={PHONE[1:]})
#: What a field of this name may hold.
VALUES: dict[str, Any] = {
    "phone": PHONE,
    "number": PHONE,
    "code": CODE,
    "code_digest": "a" * 64,
    "api_key": KEY,
    "verification": ID,
    "raw": {"number": PHONE, "code": CODE},
}
#: The imitated provider shows what rings, and is no part of a site; what a description tells of a
#: phone is masked before.
APART = (
    "django_voicepassword.sandbox",
    "django_voicepassword.migrations",
    "django_voicepassword.management",
)
MASKED = {Description}


def classes() -> Iterator[type]:
    """Every class of the package."""
    for module in pkgutil.walk_packages(django_voicepassword.__path__, "django_voicepassword."):
        if not module.name.startswith(APART):
            found = importlib.import_module(module.name)
            for _, one in inspect.getmembers(found, inspect.isclass):
                if one.__module__ == module.name:
                    yield one


def records() -> list[type]:
    """Those that are made of fields: dataclasses and named tuples."""
    found = [one for one in classes() if dataclasses.is_dataclass(one) or hasattr(one, "_fields")]
    return sorted(
        (one for one in found if one not in MASKED and not inspect.isabstract(one)),
        key=lambda one: one.__qualname__,
    )


def shown(one: object) -> str:
    return f"{one!r}\n\n\n\n{one}\n\n\n\n{[one]}"


@pytest.mark.parametrize("record", records(), ids=lambda record: record.__qualname__)
def test_a_record(record: Any) -> None:
    """Whatever its fields may hold; a new one is found by itself."""
    names = (
        record._fields
        if hasattr(record, "_fields")
        else [field.name for field in dataclasses.fields(record) if field.init]
    )
    one = record(**{name: VALUES.get(name) for name in names})
    assert KNOWN.find(shown(one)) == []


@pytest.mark.parametrize(
    "model",
    list(apps.get_app_config("django_voicepassword").get_models()),
    ids=lambda model: model.__name__,
)
def test_a_row(model: type[models.Model]) -> None:
    """As in the list of rows that a debugger or a tracker shows."""
    columns = [
        field
        for field in model._meta.concrete_fields
        if not field.is_relation and not field.generated
    ]
    given = {**VALUES, "key": f"phone:{PHONE}"}
    values = {field.name: given[field.name] for field in columns if field.name in given}
    if isinstance(model._meta.pk, models.UUIDField):
        values[model._meta.pk.name] = ID
    moments = {
        field.name: datetime(2026, 1, 2, tzinfo=timezone.utc)
        for field in columns
        if "date" in field.name
    }
    money = {field.name: Decimal(1) for field in columns if isinstance(field, models.DecimalField)}
    assert KNOWN.find(shown(model(**values, **moments, **money))) == []


@pytest.mark.parametrize(
    "client", [Client(KEY), Client(KEY, auth="body"), MemoryClient(ID), ConsoleClient(ID)]
)
def test_a_client(client: object) -> None:
    assert KNOWN.find(shown(client)) == []
    # A tracker may look into an object: the numbers and ids of the memory are for tests, the key of
    # a client is not.
    assert KEY not in repr(vars(client))


def test_what_was_sent_in_memory() -> None:
    MemoryClient(ID).flash_call(PHONE, code="8240")
    assert (outbox[-1].number, outbox[-1].code) == (PHONE, "8240")
    sent = Sent("flashcall", PHONE, CODE, ID)
    assert KNOWN.find(shown(sent)) == []
    outbox.clear()


HOSTILE = f'{{"id": "17", "number": "{PHONE}", "state": "+{PHONE} {CODE} {KEY}", "service": "{KEY} {PHONE}", "code": "{CODE}"}}'


def test_what_was_read() -> None:
    """Reports of a provider that repeats all that it knows."""
    report = protocol.parse_callback(HOSTILE.encode(), "", KEY)
    assert KNOWN.find(f"{shown(report)} {report.raw}") == []
    reply = protocol.parse_send(f'{{"result": "ok", {HOSTILE[1:]}'.encode(), KEY)
    assert (reply.number, reply.code) == (PHONE, CODE)
    assert KNOWN.find(shown(reply)) == []


@pytest.mark.parametrize(
    "body", [f'{{"result": "error", "error_code": "{KEY} +{PHONE}"}}', HOSTILE, f"<b>{KEY}</b>"]
)
def test_an_error_of_the_provider(body: str) -> None:
    with pytest.raises(ProviderError) as caught:
        protocol.parse_send(body.encode(), KEY)
    assert KNOWN.find(f"{shown(caught.value)} {vars(caught.value)}") == []


@pytest.mark.django_db
def test_a_verification_and_what_is_told_of_it() -> None:
    verification = verifications.start(WRITTEN)
    code = outbox.pop().code
    described = description.describe(verification)
    Verification.objects.filter(id=verification.id).update(
        status="approved", approved_at=verification.created_at
    )
    proof = verifications.read_proof(verifications.make_proof(Verification.objects.get()))
    assert (proof.phone, type(proof.verification)) == (PHONE, UUID)
    known = Known({str(verification.id)}, {code}, {PHONE[1:]})
    rows = [*Verification.objects.all(), *verification.calls.all()]
    for one in (
        verification,
        described,
        proof,
        *rows,
        verification._meta.model.objects.all(),
        verification.calls.all(),
    ):
        assert known.find(shown(one)) == []
