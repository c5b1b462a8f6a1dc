"""The staff API: filters and pages of the list of calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_voicepassword.models import CallRequest, CallStatus
from tests.api.staff import NOON, PATHS, StaffApi, make, verified

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> StaffApi:
    return StaffApi("view_callrequest")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, ["c", "b", "a"]),
        ({"ordering": "-created_at"}, ["c", "b", "a"]),
        ({"ordering": "created_at"}, ["a", "b", "c"]),
        ({"state": "busy"}, ["b"]),
        ({"state": ""}, ["c", "b", "a"]),
        ({"channel": "sms"}, ["c"]),
        ({"origin": "imported"}, ["a"]),
        ({"error": "any"}, ["b"]),
        ({"differs": "price"}, ["c"]),
        ({"from": "2026-03-11"}, ["c", "b"]),
        ({"to": "2026-03-11"}, ["b", "a"]),
        ({"q": "0002"}, ["b"]),
        ({"q": "8 999 000-00-03"}, ["c"]),
        ({"format": "json"}, ["c", "b", "a"]),
    ],
)
def test_the_filters_are_those_of_the_history(
    api: StaffApi, query: dict[str, str], ids: list[str]
) -> None:
    make("79990000001", provider_id="a", origin="imported")
    make(
        "79990000002",
        provider_id="b",
        state="busy",
        error_code="x",
        created_at=NOON + timedelta(days=1),
    )
    make(
        "79990000003",
        provider_id="c",
        channel="sms",
        difference=2,
        created_at=NOON + timedelta(days=2),
    )
    assert [call["provider_id"] for call in api.get("calls/", **query).body["results"]] == ids


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("calls/", {"state": "asleep"}, "state"),
        ("calls/", {"channel": "pigeon"}, "channel"),
        ("calls/", {"origin": "\x00"}, "origin"),
        ("calls/", {"differs": "phone"}, "differs"),
        ("calls/", {"from": "10.03.2026"}, "from"),
        ("calls/", {"to": "2026-02-30"}, "to"),
        ("calls/", {"status": "busy"}, "status"),
        ("calls/", {"version": "1"}, "version"),
        ("calls/", {"state": ["busy", "failed"]}, "state"),
        ("calls/", {"ordering": "price"}, "ordering"),
        ("calls/", {"page_size": "0"}, "page_size"),
        ("calls/", {"page_size": "501"}, "page_size"),
        ("calls/", {"page_size": "many"}, "page_size"),
        ("calls/", {"page_size": "-1"}, "page_size"),
        ("calls/", {"page_size": "9" * 5000}, "page_size"),
        ("calls/1/", {"state": "busy"}, "state"),
        ("statistics/", {"from": "yesterday"}, "from"),
        ("statistics/", {"from": "2026-03-11", "to": "2026-03-10"}, "from"),
        ("statistics/", {"from": "2023-03-10", "to": "2026-03-10"}, "from"),
        ("statistics/", {"channel": "pigeon"}, "channel"),
        ("statistics/", {"days": "7"}, "days"),
        ("balance/", {"currency": "Rub"}, "currency"),
    ],
)
def test_an_invalid_parameter_is_named(path: str, query: dict[str, Any], name: str) -> None:
    answer = StaffApi(PATHS[path]).get(path, **query)
    assert (answer.status_code, answer.body["code"]) == (400, "invalid")
    assert list(answer.body["fields"]) == [name]
    assert answer.body["fields"][name][0]


def test_more_rows_on_a_page_cost_no_more_queries(
    api: StaffApi, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        verified(f"user-{number}", f"7999000{number:04}")
        make(f"7999000{number:04}")
        if number in (0, 11):
            # Session, user, permissions of the user and of their groups, and the calls joined with
            # their verifications and users.
            with django_assert_num_queries(5):
                assert len(api.get("calls/").body["results"]) == 2 * (number + 1)
    call = CallRequest.objects.latest("pk")
    for _ in range(9):
        CallStatus.objects.create(call=call, source="poll", state="placed")
    with django_assert_num_queries(6):
        assert len(api.get(f"calls/{call.pk}/").body["statuses"]) == 9


def follow(api: StaffApi, link: str | None, direction: str, **query: Any) -> list[list[int]]:
    """Return the keys on each page from ``link`` on; ``direction`` is next or previous."""
    pages = []
    while link is not None:
        answer = api.get(link, **query)
        assert answer.status_code == 200
        pages.append([call["id"] for call in answer.body["results"]])
        link, query = answer.body[direction], {}
    return pages


@pytest.mark.parametrize("ordering", ["-created_at", "created_at"])
def test_pages_show_every_call_once_also_those_of_one_moment(api: StaffApi, ordering: str) -> None:
    """Imported rows without a readable date share one moment, and there may be thousands."""
    calls = [make(created_at=NOON + timedelta(seconds=number // 25)) for number in range(30)]
    keys = [call.pk for call in calls][:: -1 if ordering.startswith("-") else 1]
    pages = follow(api, "calls/", "next", page_size=7, ordering=ordering)
    assert [len(page) for page in pages] == [7, 7, 7, 7, 2]
    assert list(chain.from_iterable(pages)) == keys
    last = api.get("calls/", page_size=7, ordering=ordering)
    while last.body["next"]:
        last = api.get(last.body["next"])
    back = follow(api, last.body["previous"], "previous")
    assert [len(page) for page in back] == [7, 7, 7, 7]
    assert list(chain.from_iterable(reversed(back))) == keys[:28]
    # Forward and back again leads to the same page with the same neighbours.
    second = api.get(api.get("calls/", page_size=7, ordering=ordering).body["next"])
    assert api.get(api.get(second.body["next"]).body["previous"]).body == second.body
    assert (
        api.get(second.body["previous"]).body
        == api.get("calls/", page_size=7, ordering=ordering).body
    )


def test_pages_of_a_site_without_zones(api: StaffApi, settings: Any) -> None:
    settings.USE_TZ = False
    moment = datetime(2026, 3, 10, 12)
    calls = [
        make(created_at=moment + timedelta(seconds=number // 2), claimed_at=moment)
        for number in range(6)
    ]
    pages = follow(api, "calls/", "next", page_size=2, **{"from": "2026-03-10", "to": "2026-03-10"})
    assert list(chain.from_iterable(pages)) == [call.pk for call in calls[::-1]]


def test_a_new_call_moves_no_page(api: StaffApi) -> None:
    calls = [make(created_at=NOON + timedelta(seconds=number)) for number in range(6)]
    first = api.get("calls/", page_size=3, state="no_answer")
    make(created_at=NOON + timedelta(days=1))
    calls[3].delete()
    second = api.get(first.body["next"])
    assert [call["id"] for call in second.body["results"]] == [call.pk for call in calls[2::-1]]
    assert second.body["next"] is None


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ё",
        "\x00",
        "====",
        "cj0x",
        "cD0yMDI2LTAzLTEw",
        "cD1fMQ==",
        "cD0xXw==",
        "cD0xXzE5OTk5OTk5OTk5OTk5OTk5OTk5",
        "cD05OTk5OTk5OTk5OTk5OTk5OTk5OV8x",
        "bz05OTk5OTk5OTk5",
        "A" * 5000,
    ],
)
def test_an_invalid_cursor_is_an_error(api: StaffApi, cursor: str) -> None:
    answer = api.get("calls/", cursor=cursor)
    assert (answer.status_code, answer.body["code"], list(answer.body["fields"])) == (
        400,
        "invalid",
        ["cursor"],
    )


def test_a_late_page_is_found_in_the_index(api: StaffApi) -> None:
    """The moment in the cursor bounds the range: SQLite does not walk to it from the start."""
    if connection.vendor != "sqlite":
        pytest.skip("the plans of PostgreSQL are asked in test_history_filters")
    for number in range(3):
        make(created_at=NOON + timedelta(seconds=number))
    link = api.get("calls/", page_size=1).body["next"]
    with CaptureQueriesContext(connection) as captured:
        api.get(link)
    (statement,) = [
        query["sql"]
        for query in captured
        if 'FROM "django_voicepassword_callrequest"' in query["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
        plan = str(cursor.fetchall())
    assert (
        "SEARCH django_voicepassword_callrequest "
        "USING INDEX voicepassword_call_created (created_at<?)" in plan
    )
    assert "TEMP B-TREE" not in plan
