"""No repr or str of the package contains a key, a code, a whole number or a verification's id."""

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
from django_voicepassword.provider.protocol.daily_rows import Outcome
from django_voicepassword.testing import MemoryClient, Sent, outbox
from django_voicepassword.verifications import description
from django_voicepassword.verifications.description import Description
from tests.secrets.faults import CODE, KEY, PHONE, PHONE_AS_TYPED
from tests.secrets.secret_search import Secrets

ID = uuid4()
SECRETS = Secrets({KEY, CODE, str(ID), ID.hex, "a" * 64}, phones={PHONE[1:]})
#: Field -> a value that it may hold.
VALUES: dict[str, Any] = {
    "phone": PHONE,
    "number": PHONE,
    "code": CODE,
    "code_digest": "a" * 64,
    "api_key": KEY,
    "verification": ID,
    "raw": {"number": PHONE, "code": CODE},
}
#: The sandbox shows codes on purpose, and is no part of a site.
NOT_CHECKED = (
    "django_voicepassword.sandbox",
    "django_voicepassword.migrations",
    "django_voicepassword.management",
)
#: Its caller gives it a phone that is masked already.
MASKED_BEFORE = {Description}


def classes() -> Iterator[type]:
    """Yield every class of the package."""
    for module in pkgutil.walk_packages(django_voicepassword.__path__, "django_voicepassword."):
        if not module.name.startswith(NOT_CHECKED):
            for _, kind in inspect.getmembers(
                importlib.import_module(module.name), inspect.isclass
            ):
                if kind.__module__ == module.name:
                    yield kind


def records() -> list[type]:
    """Return the dataclasses and named tuples of the package."""
    kinds = [
        kind
        for kind in classes()
        if (dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"))
        and kind not in MASKED_BEFORE
        and not inspect.isabstract(kind)
    ]
    return sorted(kinds, key=lambda kind: kind.__qualname__)


def reprs(value: object) -> str:
    """Return the repr and the str of a value, also inside of a list."""
    return f"{value!r}\n\n\n\n{value}\n\n\n\n{[value]}"


@pytest.mark.parametrize("record", records(), ids=lambda record: record.__qualname__)
def test_a_record(record: Any) -> None:
    """Whatever its fields hold. A new class is tested without a change here."""
    names = (
        record._fields
        if hasattr(record, "_fields")
        else [field.name for field in dataclasses.fields(record) if field.init]
    )
    values = {name: VALUES.get(name) for name in names}
    if "Verification" in str(record.__annotations__.get("verification")):
        # Some classes hold the row, others its id.
        values["verification"] = Verification(id=ID, phone=PHONE)
    if "Outcome" in str(record.__annotations__.get("outcome")):
        values["outcome"] = Outcome._make(VALUES.get(name) for name in Outcome._fields)
    instance = record(**values)
    assert SECRETS.find(reprs(instance)) == []


@pytest.mark.parametrize(
    "model",
    list(apps.get_app_config("django_voicepassword").get_models()),
    ids=lambda model: model.__name__,
)
def test_a_row(model: type[models.Model]) -> None:
    """As a debugger or a tracker shows it."""
    columns = [
        field
        for field in model._meta.concrete_fields
        if not field.is_relation and not field.generated
    ]
    possible = {**VALUES, "key": f"phone:{PHONE}"}
    values = {field.name: possible[field.name] for field in columns if field.name in possible}
    if isinstance(model._meta.pk, models.UUIDField):
        values[model._meta.pk.name] = ID
    moments = {
        field.name: datetime(2026, 1, 2, tzinfo=timezone.utc)
        for field in columns
        if "date" in field.name
    }
    money = {field.name: Decimal(1) for field in columns if isinstance(field, models.DecimalField)}
    assert SECRETS.find(reprs(model(**values, **moments, **money))) == []


@pytest.mark.parametrize(
    "client", [Client(KEY), Client(KEY, auth="body"), MemoryClient(ID), ConsoleClient(ID)]
)
def test_a_client(client: object) -> None:
    assert SECRETS.find(reprs(client)) == []
    # A tracker may also read the attributes of an object. The memory client holds numbers and ids
    # for tests; no client may hold the key in plain sight.
    assert KEY not in repr(vars(client))


def test_a_message_of_the_memory_transport() -> None:
    MemoryClient(ID).flash_call(PHONE, code="8240")
    assert (outbox[-1].number, outbox[-1].code) == (PHONE, "8240")
    sent = Sent("flashcall", PHONE, CODE, ID)
    assert SECRETS.find(reprs(sent)) == []
    outbox.clear()


HOSTILE = (
    f'{{"id": "17", "number": "{PHONE}", "state": "+{PHONE} {CODE} {KEY}",'
    f' "service": "{KEY} {PHONE}", "code": "{CODE}"}}'
)


def test_a_parsed_report_and_a_parsed_reply() -> None:
    """From a provider that repeats everything that it knows."""
    report = protocol.parse_callback(HOSTILE.encode(), KEY)
    assert SECRETS.find(f"{reprs(report)} {report.raw}") == []
    reply = protocol.parse_send(f'{{"result": "ok", {HOSTILE[1:]}'.encode(), KEY)
    assert (reply.number, reply.code) == (PHONE, CODE)
    assert SECRETS.find(reprs(reply)) == []


@pytest.mark.parametrize(
    "body", [f'{{"result": "error", "error_code": "{KEY} +{PHONE}"}}', HOSTILE, f"<b>{KEY}</b>"]
)
def test_an_error_of_the_provider(body: str) -> None:
    with pytest.raises(ProviderError) as caught:
        protocol.parse_send(body.encode(), KEY)
    assert SECRETS.find(f"{reprs(caught.value)} {vars(caught.value)}") == []


@pytest.mark.django_db
def test_a_verification_with_its_description_proof_and_rows() -> None:
    verification = verifications.start(PHONE_AS_TYPED)
    code = outbox.pop().code
    described = description.describe(verification)
    Verification.objects.filter(id=verification.id).update(
        status="approved", approved_at=verification.created_at
    )
    proof = verifications.read_proof(verifications.make_proof(Verification.objects.get()))
    assert (proof.phone, type(proof.verification)) == (PHONE, UUID)
    secrets = Secrets({str(verification.id)}, {code}, {PHONE[1:]})
    rows = [*Verification.objects.all(), *verification.calls.all()]
    for value in (
        verification,
        described,
        proof,
        *rows,
        Verification._default_manager.all(),
        verification.calls.all(),
    ):
        assert secrets.find(reprs(value)) == []
