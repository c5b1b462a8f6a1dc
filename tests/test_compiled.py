"""A compiled statement is what the ORM writes, for each database and setting."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connections, models, transaction
from django.db.models import sql
from django.db.models.signals import post_save

from django_voicepassword.accounts import devices, proofs, users
from django_voicepassword.calls import placing, recording
from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    TrustedDevice,
    Verification,
    call_reports,
    call_updates,
    calls,
    verifications,
)
from django_voicepassword.models.compiled import Insert, Select, Statement, Update
from django_voicepassword.verifications import checking, sending

pytestmark = pytest.mark.django_db

KEY = UUID("5f0c3fb1-7b5c-4c0f-9f0e-3d9a5a1a4f7e")
NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, timezone.utc)
MOVED: dict[str, Any] = {"state": "placed", "placed_at": NOW, "price": Decimal("0.35")}
REPORTED: dict[str, Any] = {"state": "busy", "finished_at": NOW, "next_poll_at": None}
EXPECTED: dict[str, Any] = {"id": 7, "phone": "79991234567", "provider_id": "12"}


def _new(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


STATEMENTS: dict[str, tuple[Statement[Any], dict[str, Any]]] = {
    "count a guess": (
        verifications._COUNT_GUESS,
        {"id": KEY, "now": NOW, "most": 5, "most_long": 3},
    ),
    "approve": (verifications._APPROVE, {"id": KEY, "now": NOW}),
    "the verification of a guess": (checking._GUESSED, {"verification": KEY}),
    "a verification without calls": (checking._WITHOUT_CALLS, {"id": KEY}),
    "its calls": (checking._CALLS, {"verification": KEY}),
    "close a call": (calls._CLOSE, {"pk": 7, "old": "phone ip#1", "counted": "phone"}),
    "set the user": (checking._SET_USER, {"id": KEY, "user": 3}),
    "the user of a number": (users._PROVED, {"phone": "79991234567"}),
    "lock a proof": (users._LOCKED, {"phone": "79991234567"}),
    "renew a proof": (proofs._RENEW, {"phone": "79991234567", "user": 3, "now": NOW}),
    "renew one that is awake": (
        proofs._RENEW_AWAKE,
        {"phone": "79991234567", "user": 3, "now": NOW, "since": NOW - timedelta(days=9)},
    ),
    "known devices": (devices._KNOWN, {"phone": "79991234567", "token_hash": "ab" * 32}),
    "devices of a number": (devices._OF_NUMBER, {"phone": "79991234567"}),
    "a queued call": (placing._QUEUED, {"id": 7}),
    "lock a call": (calls._LOCK, {"id": 7}),
    "a locked call": (calls._LOCKED, {"id": 7}),
    "kept reports": (call_reports._KEPT, {"call": 7, "source": "callback"}),
    "count a repeated report": (call_reports._REPEAT, {"id": 7}),
    "move a call": (
        call_updates.move(CallRequest, frozenset(["placing", "unknown"]), tuple(MOVED)),
        {"id": 7, **_new(MOVED)},
    ),
    "move a call back": (
        call_updates.move(CallRequest, frozenset(["placing"]), ("claimed_at", "state")),
        {"id": 7, "new_claimed_at": None, "new_state": "queued"},
    ),
    "report": (
        call_updates.move_if_expected(
            CallRequest, "busy", tuple(EXPECTED), tuple(REPORTED), CallStatus.has_all_callbacks
        ),
        {**EXPECTED, **_new(REPORTED)},
    ),
    "report with a price": (
        call_updates.move_if_expected(
            CallRequest, "busy", (*EXPECTED, "price"), tuple(REPORTED), CallStatus.has_all_callbacks
        ),
        {**EXPECTED, "price": Decimal("3.3"), **_new(REPORTED)},
    ),
}


def _written_by_the_orm(statement: Statement[Any], values: dict[str, Any]) -> tuple[str, list[Any]]:
    built = statement.build(**values)
    if isinstance(statement, Select):
        text, parameters = built.query.get_compiler("default").as_sql()
    else:
        queryset, changes = built
        query = queryset.query.chain(sql.UpdateQuery)
        query.add_update_values(changes)
        text, parameters = query.get_compiler("default").as_sql()
    return text, list(parameters)


def _same(text: str) -> str:
    """The ORM writes a value of an expression in brackets, and None as NULL."""
    return text.replace("(%s)", "%s").replace("= NULL", "= %s")


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_that_of_the_orm(name: str, use_tz: bool, settings: Any) -> None:
    settings.USE_TZ = use_tz
    statement, values = STATEMENTS[name]
    if not use_tz:
        values = {
            key: value.replace(tzinfo=None) if isinstance(value, datetime) else value
            for key, value in values.items()
        }
    text, parameters = _written_by_the_orm(statement, values)
    compiled, adapted, _ = statement.sql("default", values)
    assert _same(compiled) == _same(text)
    # Until Django 6.0 None is no parameter of the ORM.
    assert [one for one in adapted if one is not None] == [
        one for one in parameters if one is not None
    ]


def test_every_statement_of_the_package_is_compared() -> None:
    modules = (
        verifications,
        calls,
        call_reports,
        checking,
        devices,
        placing,
        proofs,
        recording,
        sending,
        users,
    )
    declared = {
        id(value)
        for module in modules
        for value in vars(module).values()
        if isinstance(value, (Select, Update))
    }
    assert declared <= {id(statement) for statement, _ in STATEMENTS.values()}


def _verification(**values: Any) -> Verification:
    values |= {"created_at": NOW, "expires_at": NOW + timedelta(minutes=5)}
    return Verification(phone="79991234567", **values)


def _rows() -> list[models.Model]:
    verification = _verification(sends=1, idempotency_digest="ab" * 32)
    verification.save()
    call = CallRequest(
        verification=verification,
        phone="79991234567",
        channel="flashcall",
        reserved_price=Decimal("0.35"),
        counted="phone ip#1",
        idempotency={"a": ["ё", 1]},
        is_open=True,
    )
    call.save()
    return [
        _verification(),
        CallRequest(phone="79991234567", channel="voice", idempotency={"a": ["ё", 1]}),
        CallRequest(verification=verification, phone="79991234567", channel="sms"),
        CallStatus(call=call, state="busy", source="callback", payload={"state": "BUSY"}),
        TrustedDevice(phone="79991234567", token_hash="ab" * 32),
    ]


@pytest.mark.parametrize("place", range(5))
def test_an_insert_writes_what_the_orm_writes(place: int) -> None:
    row = _rows()[place]
    written = {}
    for save in (Insert(type(row)), lambda row: row.save(force_insert=True)):
        save(row)
        read = type(row)._default_manager.get(pk=row.pk)
        assert not row._state.adding
        assert row._state.db == "default"
        written[save] = {
            field.attname: getattr(read, field.attname)
            for field in row._meta.concrete_fields
            if not field.primary_key
        }
        type(row)._default_manager.filter(pk=row.pk).delete()
        row.pk = uuid4() if isinstance(row, Verification) else None
    first, second = written.values()
    assert first == second


def test_a_select_reads_what_the_orm_reads() -> None:
    call = _rows()[1]
    call.verification = _verification()  # type: ignore[attr-defined]
    call.verification.save()  # type: ignore[attr-defined]
    call.save()
    [read] = checking._CALLS(verification=call.verification.pk)  # type: ignore[attr-defined]
    expected = CallRequest.objects.get(pk=call.pk)
    for field in CallRequest._meta.concrete_fields:
        assert getattr(read, field.attname) == getattr(expected, field.attname), field.name
    assert (read._state.adding, read._state.db) == (False, "default")
    [guessed] = checking._GUESSED(verification=call.verification.pk)  # type: ignore[attr-defined]
    assert (guessed, guessed.is_guarded) == (call, False)
    for field in Verification._meta.concrete_fields:
        value = getattr(guessed.verification, field.attname)
        assert value == getattr(expected.verification, field.attname), field.name


def test_the_signals_of_django_are_sent_where_somebody_listens() -> None:
    saved = []

    def note(instance: Verification, created: bool, **values: Any) -> None:
        saved.append((instance.pk, created))

    post_save.connect(note, sender=Verification)
    try:
        row = _verification()
        Insert(Verification)(row)
    finally:
        post_save.disconnect(note, sender=Verification)
    assert saved == [(row.pk, True)]


def test_the_text_is_written_once_for_each_database(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(id: Any) -> models.QuerySet[Verification]:
        built.append(id)
        return Verification.objects.filter(id=id)

    statement = Select(Verification, build, id="id")
    assert statement(id=KEY) == statement(id=KEY) == []
    assert len(built) == 1
    # ``override_settings(DATABASES=…)`` gives an alias another database.
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", "elsewhere")
    statement.sql("default", {"id": KEY})
    assert len(built) == 2


def test_an_error_breaks_the_transaction_as_with_the_orm() -> None:
    call = CallRequest(phone="79991234567", channel="pigeon")
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            Insert(CallRequest)(call)
        assert transaction.get_rollback()
