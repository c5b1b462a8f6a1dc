"""The filters of the call history find the right calls, and no query reads the whole table."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from django_voicepassword.history import Reader, filters
from django_voicepassword.models import CallRequest, Verification
from tests.api.staff import NOON, make

pytestmark = pytest.mark.django_db
COMMAND = Reader(None, "a command")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "abcde"),
        ({"state": "busy"}, "b"),
        ({"state": " busy "}, "b"),
        ({"state": ""}, "abcde"),
        ({"state": None}, "abcde"),
        ({"channel": "voice"}, "c"),
        ({"origin": "imported"}, "d"),
        ({"error": "any"}, "bc"),
        ({"error": "number_not_valid"}, "b"),
        ({"error": "no_such"}, ""),
        ({"error": "\x00"}, ""),
        ({"differs": "any"}, "de"),
        ({"differs": "state"}, "d"),
        ({"differs": "price"}, "de"),
        ({"differs": "duration"}, "e"),
        ({"q": "02", "state": "busy"}, "b"),
        ({"q": "02", "state": "no_answer"}, ""),
        ({"origin": "app", "differs": "any"}, "e"),
        ({"page": "7"}, "abcde"),
    ],
)
def test_filters_alone_and_combined_find_their_calls(query: dict[str, str], expected: str) -> None:
    rows: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"state": "busy", "error_code": "number_not_valid"},
        "c": {"channel": "voice", "error_code": "no_final_state"},
        "d": {"origin": "imported", "difference": 3},
        "e": {"difference": 6},
    }
    for number, (name, values) in enumerate(rows.items(), start=1):
        make(f"7999000000{number}", provider_id=name, **values)
    calls = filters.apply_filters(CallRequest.objects.all(), query, COMMAND)
    assert "".join(sorted(calls.values_list("provider_id", flat=True))) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "asleep"),
        ("state", "BUSY"),
        ("channel", "pigeon"),
        ("origin", "\x00"),
        ("differs", "phone"),
        ("from", "10.03.2026"),
        ("from", "2026-02-30"),
        ("to", "yesterday"),
        ("to", "0001-01-01"),
        ("to", "9999-12-31"),
        ("from", "２０２６-03-10"),
    ],
)
def test_an_invalid_filter_value_is_reported_with_its_name(name: str, value: str) -> None:
    with pytest.raises(filters.InvalidFilter) as caught:
        filters.apply_filters(CallRequest.objects.all(), {name: value}, COMMAND)
    assert caught.value.name == name
    assert str(caught.value)
    with translation.override("ru"), pytest.raises(filters.InvalidFilter):
        filters.apply_filters(CallRequest.objects.all(), {name: value}, COMMAND)


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/New_York", "Asia/Kathmandu"])
def test_days_begin_at_midnight_in_the_readers_time_zone(zone: str) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=ZoneInfo(zone))
    second = timedelta(seconds=1)
    moments = {
        "before": midnight - second,
        "first": midnight,
        "last": midnight + timedelta(days=1) - second,
        "after": midnight + timedelta(days=1),
    }
    for name, moment in moments.items():
        make("79990000001", provider_id=name, created_at=moment)

    def calls_in(**query: str) -> list[str]:
        with timezone.override(zone):
            calls = filters.apply_filters(
                CallRequest.objects.all(),
                {name.rstrip("_"): value for name, value in query.items()},
                COMMAND,
            )
            return list(calls.order_by("created_at").values_list("provider_id", flat=True))

    assert calls_in(from_="2026-03-10", to="2026-03-10") == ["first", "last"]
    assert calls_in(from_="2026-03-10") == ["first", "last", "after"]
    assert calls_in(to="2026-03-10") == ["before", "first", "last"]
    assert calls_in(from_="2026-03-11", to="2026-03-10") == []


def test_a_midnight_skipped_by_daylight_saving_time_is_handled() -> None:
    make("79990000001", created_at=datetime(2018, 11, 4, 12, tzinfo=ZoneInfo("America/Sao_Paulo")))
    with timezone.override("America/Sao_Paulo"):
        assert (
            filters.apply_filters(
                CallRequest.objects.all(), {"from": "2018-11-04", "to": "2018-11-04"}, COMMAND
            ).count()
            == 1
        )
        assert (
            filters.apply_filters(CallRequest.objects.all(), {"to": "2018-11-03"}, COMMAND).count()
            == 0
        )


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_cursor_separates_calls_of_the_same_moment(newest_first: bool) -> None:
    calls = [
        make("79990000001", created_at=NOON + timedelta(seconds=number // 3)) for number in range(9)
    ]
    if newest_first:
        calls.reverse()
    order = filters.order(newest_first)
    for number, call in enumerate(calls):
        later_calls = filters.after_cursor(
            CallRequest.objects.all(), call.created_at, call.pk, newest_first
        )
        assert list(later_calls.order_by(*order)) == calls[number + 1 :]


SEARCHES = [
    {},
    {"q": "99"},
    {"q": "567"},
    {"q": "4567"},
    {"q": "1234567"},
    {"q": "+7 999 123-45-67"},
    {"q": "+7 *** ***-**-67"},
    {"q": "id-77"},
    {"q": "77"},
    {"q": "user1"},
    {"q": "user12"},
    {"q": "nobody"},
    {"q": "6f1c2a9e-3b57-4d80-9e42-c7a5d0b81f36"},
    {"state": "busy"},
    {"state": "unknown"},
    {"channel": "voice"},
    {"origin": "imported"},
    {"origin": "app"},
    {"error": "any"},
    {"error": "no_final_state"},
    {"differs": "any"},
    {"differs": "price"},
    {"from": "2026-03-10", "to": "2026-03-10"},
    {"from": "2026-03-11"},
    {"to": "2026-01-05"},
    {"state": "busy", "channel": "voice", "from": "2026-03-01", "q": "67"},
]


@pytest.fixture(scope="module")
def large_history(django_db_setup: None, django_db_blocker: Any) -> Any:
    """20,000 calls, a tenth of them with a verification of one of a hundred users."""
    if connection.vendor != "postgresql":
        pytest.skip("the test database is not PostgreSQL")
    with django_db_blocker.unblock():
        _fill(20_000)
        yield SimpleNamespace(rows=20_000)
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE django_voicepassword_callrequest, django_voicepassword_verification, "
                "auth_user CASCADE"
            )


def _fill(count: int) -> None:
    users = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"user{number}") for number in range(100)]
    )
    verifications = Verification.objects.bulk_create(
        [
            Verification(
                phone=_phone(number),
                user=users[number % 100],
                expires_at=timezone.now() + timedelta(days=1),
            )
            for number in range(count // 10)
        ]
    )
    first_moment = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC"))
    CallRequest.objects.bulk_create(
        [
            CallRequest(
                phone=_phone(number),
                channel="voice" if number % 20 == 0 else "flashcall",
                state="busy" if number % 10 == 0 else "no_answer",
                origin="imported" if number % 50 == 0 else "app",
                error_code="no_final_state" if number % 100 == 0 else "",
                difference=2 if number % 200 == 0 else 0,
                provider_id=f"id-{number}" if number % 2 else str(number),
                verification=verifications[number // 10] if number % 10 == 0 else None,
                claimed_at=first_moment,
                created_at=first_moment + timedelta(minutes=7 * number),
            )
            for number in range(count)
        ],
        batch_size=2000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _phone(number: int) -> str:
    return f"7999{number * 7919 % 10_000_000:07}"


@pytest.mark.service("postgresql")
@pytest.mark.parametrize("query", SEARCHES, ids=str)
def test_no_query_scans_the_whole_table(large_history: Any, query: dict[str, str]) -> None:
    """Checks every statement of a page, also those that look up keys first."""
    with CaptureQueriesContext(connection) as captured:
        list(
            filters.apply_filters(CallRequest.objects.all(), query, COMMAND).order_by(
                *filters.order()
            )[:51]
        )
    statements = [
        statement["sql"]
        for statement in captured
        if "django_voicepassword_callrequest" in statement["sql"]
    ]
    assert statements
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert not re.search(r"Seq Scan on django_voicepassword_callrequest", plan), (
                f"{statement}\n{plan}"
            )


@pytest.mark.parametrize(
    "query",
    [{"error": "any"}, {"error": "worker_lost"}, {"differs": "price"}, {"origin": "imported"}],
)
def test_a_filter_for_rare_calls_uses_its_partial_index(query: dict[str, str]) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has its own test; MariaDB has no partial indexes")
    plan = (
        filters.apply_filters(CallRequest.objects.all(), query, COMMAND)
        .order_by(*filters.order())[:51]
        .explain()
    )
    assert re.search(r"USING INDEX voicepassword_call_(error|difference|imported)", plan), plan
