"""A sync works where the database has another charset or collation than the tables, and ids are
compared to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timezone
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from django_voicepassword import statistics
from django_voicepassword.calls import recording
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.search import search_calls, search_phones, search_verifications
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    CallStatus,
    Verification,
    VerifiedPhone,
    provider_text,
)
from django_voicepassword.provider.protocol import parse_report
from tests.databases import MARIADB
from tests.own_database import ROUTERS, Router, own_database
from tests.statistics.rows_provider import ROWS, Provider

DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 9, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _provider(configure: Callable[..., None]) -> None:
    ROWS.clear()
    configure(TRANSPORT=f"{Provider.__module__}.Provider")


def add_row(id: str, **values: str) -> None:
    row = {"id": id, "number": "79990000001", "date": "10.03.2026 12:00:05", "duration": "00:04"}
    row |= {"price": "0.35", "service": "Voice Password", "state": "Успешно"}
    ROWS.append({**row, **values})


def add_call(id: str, **values: Any) -> CallRequest:
    defaults = {"phone": "79990000001", "channel": "voice", "state": "placed"}
    times = {"created_at": NOON, "claimed_at": NOON}
    return CallRequest.objects.create(**{**defaults, **times, "provider_id": id, **values})


def sync() -> tuple[int, int, int]:
    day = statistics.sync_day(DAY).statistics
    return day.rows, day.matched, day.imported


@pytest.mark.django_db
def test_ids_are_compared_to_the_letter() -> None:
    ours = add_call("aBc1")
    other = add_call("ABC1", phone="79990000002")
    lost = add_call("", state="unknown", phone="79990000003")
    add_row("AbC1")
    add_row("aBc1", state="Занято")
    add_row("abc1 ", number="79990000003")
    for _ in range(2):
        assert sync() == (3, 2, 1)
    for call in (ours, other, lost):
        call.refresh_from_db()
    assert (ours.state, other.state) == ("busy", "placed")
    assert lost.provider_id == ROWS[2]["id"].strip()
    imported = CallRequest.objects.get(origin="imported")
    assert (imported.provider_id, imported.statuses.count()) == ("AbC1", 1)
    assert list(CallRequest.objects.filter(provider_id="aBc1")) == [ours]
    assert list(CallRequest.objects.exclude(provider_id="aBc1").order_by("id")) == [
        other,
        lost,
        imported,
    ]


@pytest.mark.django_db
def test_a_callback_with_an_id_in_other_letters_changes_nothing() -> None:
    call = add_call("aBc1")
    for id in ("AbC1", "aBc1"):
        report = parse_report({"id": id, "number": call.phone, "state": "BUSY"})
        assert recording.record(call.pk, report, "callback")
        call.refresh_from_db()
        assert call.state == ("busy" if id == "aBc1" else "placed")
    assert call.statuses.count() == 2


@pytest.fixture(scope="module")
def mariadb(django_db_blocker: Any) -> Iterator[str]:
    with (
        django_db_blocker.unblock(),
        own_database(MARIADB, "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci") as alias,
    ):
        yield alias


#: Of the tables, of the database.
CHARSETS = [
    ("utf8mb4 COLLATE utf8mb4_unicode_ci", "latin1"),
    ("utf8mb4 COLLATE utf8mb4_unicode_ci", "utf8mb4 COLLATE utf8mb4_general_ci"),
    ("utf8mb3 COLLATE utf8mb3_general_ci", "utf8mb4 COLLATE utf8mb4_unicode_ci"),
    ("cp1251", "utf8mb3"),
    ("latin1", "utf8mb4"),
]


@pytest.mark.service("mariadb")
@pytest.mark.parametrize(("tables", "default"), CHARSETS)
def test_a_sync_on_mariadb_does_not_depend_on_the_defaults_of_the_database(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
    mariadb: str,
    tables: str,
    default: str,
) -> None:
    settings.DATABASE_ROUTERS = ROUTERS
    monkeypatch.setattr(Router, "alias", mariadb)
    with django_db_blocker.unblock(), connections[mariadb].cursor() as cursor:
        CallStatus.objects.all().delete()
        CallRequest.objects.all().delete()
        for model in (CallRequest, CallStatus):
            cursor.execute(f"ALTER TABLE {model._meta.db_table} CONVERT TO CHARACTER SET {tables}")
        cursor.execute(f"ALTER DATABASE {mariadb} CHARACTER SET {default}")
        provider_text.mysql_charsets.cache_clear()
        call = add_call("aBc1")
        add_row("AbC1")
        add_row("aBc1")
        add_row("\N{GRINNING FACE}", state="Успешно \N{GRINNING FACE}", service="Звонок \N{BELL}")
        for _ in range(2):
            assert sync() == (3, 1, 2)
        call.refresh_from_db()
        assert call.state == "answered"
        status = CallStatus.objects.exclude(call__provider_id__in=["AbC1", "aBc1"]).get()
        assert status.payload["state"] == ROWS[2]["state"]
        if "utf8" in tables:
            assert status.raw_state.startswith("Успешно ")
        # A report that does not come with the statistics is kept as well.
        report = parse_report({"id": "aBc1", "state": "Новое \N{GRINNING FACE}"})
        kept = recording.record(call.pk, report, "poll")
        assert kept is not None
        kept.refresh_from_db()
        assert kept.payload["state"] == "Новое \N{GRINNING FACE}"
        # Two rows of one id, which the column cannot store in every charset.
        for minute in ("01", "02"):
            add_row("\N{GRINNING FACE}1", date=f"10.03.2026 12:{minute}:05")
        for _ in range(2):
            assert sync() == (5, 1, 4)
        assert CallRequest.objects.count() == 5


@pytest.mark.service("mariadb")
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "utf8mb4"])
def test_any_text_is_searched_for_and_any_currency_is_kept_on_mariadb(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: Any,
    mariadb: str,
    charset: str,
) -> None:
    settings.DATABASE_ROUTERS = ROUTERS
    monkeypatch.setattr(Router, "alias", mariadb)
    reader = Reader(user=None, where="a test")
    with django_db_blocker.unblock(), connections[mariadb].cursor() as cursor:
        # What another test has left may not fit the charset.
        for rows in (CallStatus, CallRequest, BalanceReading):
            rows._default_manager.all().delete()
        for model in (CallRequest, BalanceReading, get_user_model()):
            cursor.execute(f"ALTER TABLE {model._meta.db_table} CONVERT TO CHARACTER SET {charset}")
        provider_text.mysql_charsets.cache_clear()
        for text in ("Анна", "\N{GRINNING FACE}", "anna"):
            assert not search_calls(CallRequest.objects.all(), text, reader).exists()
            assert not search_phones(VerifiedPhone.objects.all(), text, reader).exists()
            verifications = Verification.objects.all()
            assert not search_verifications(verifications, text, reader).exists()
        reading = BalanceReading.objects.create(balance=1, currency="\N{RUBLE SIGN}")
        reading.refresh_from_db()
        assert reading.currency == ("?" if charset == "latin1" else "\N{RUBLE SIGN}")
