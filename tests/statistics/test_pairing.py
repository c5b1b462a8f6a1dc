"""The k-th row of an id belongs to our k-th call with that id, by channel, then by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from django_voicepassword import statistics
from django_voicepassword.models import CallRequest, DailyStatistics
from django_voicepassword.provider.protocol import Report, parse_report
from django_voicepassword.statistics import pairing, sync

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 9, 0, tzinfo=timezone.utc)
PHONE = "79990000001"
FLASH, VOICE, SMS = "Flash Call", "Voice Password", "SMS"
ROWS: list[Report] = []


class Provider:
    """A client whose day has ``ROWS``."""

    def daily(self, day: date) -> list[Report]:
        return list(ROWS)


@pytest.fixture(autouse=True)
def _provider(configure: Callable[..., None]) -> None:
    ROWS.clear()
    configure(TRANSPORT=f"{__name__}.Provider")


def add_row(time: str, state: str, service: str, price: str = "0.35", **values: str) -> None:
    """List a row at this minute and second after noon, Moscow time."""
    written = f"10.03.2026 12:{time}" if time else ""
    row = {"id": "1000", "number": PHONE, "date": written, "duration": "00:01"}
    ROWS.append(parse_report({**row, "price": price, "service": service, "state": state, **values}))


def add_call(channel: str, minute: int, **values: Any) -> CallRequest:
    """Create a call that this site placed at this minute after noon."""
    at = NOON + timedelta(minutes=minute)
    times = {"created_at": at, "claimed_at": at, "placed_at": at}
    defaults = {"phone": PHONE, "provider_id": "1000", "state": "placed"}
    return CallRequest.objects.create(channel=channel, **{**defaults, **times, **values})


def sync_twice(monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int = 10_000) -> DailyStatistics:
    """Sync the day, and again: the second run writes nothing and counts the same."""
    monkeypatch.setattr(sync, "CHUNK", rows_per_chunk)
    first, second = statistics.sync_day(DAY), statistics.sync_day(DAY)
    assert second.written == 0
    for name in ("rows", "total_price", "counts", "matched", "imported", "mismatched", "missing"):
        assert getattr(first.statistics, name) == getattr(second.statistics, name), name
    return second.statistics


def calls(*fields: str) -> list[tuple[Any, ...]]:
    return list(CallRequest.objects.order_by("created_at", "id").values_list(*fields))


#: All rows in one chunk, or each in a chunk of its own.
chunked = pytest.mark.parametrize("rows_per_chunk", [10_000, 1])


@chunked
@pytest.mark.parametrize("dated", [True, False])
def test_each_text_of_a_call_has_its_row(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int, dated: bool
) -> None:
    add_call("flashcall", 0)
    add_call("sms", 1)
    add_call("sms", 3)
    add_row("00:05" if dated else "", "Нет ответа", VOICE)
    add_row("01:05" if dated else "", "Не доставлено", SMS, "3.30")
    add_row("03:05" if dated else "", "Доставлено", SMS, "3.30")
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.total_price, day.rows, day.matched, day.missing) == (Decimal("6.95"), 3, 3, 0)
    assert calls("channel", "state", "price") == [
        ("flashcall", "no_answer", Decimal("0.35")),
        ("sms", "not_delivered", Decimal("3.30")),
        ("sms", "delivered", Decimal("3.30")),
    ]


def test_rows_in_any_order_are_paired_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    add_call("sms", 1)
    add_call("sms", 3)
    add_row("03:05", "Доставлено", SMS, "3.30")
    add_row("01:05", "Не доставлено", SMS, "3.30")
    assert sync_twice(monkeypatch).mismatched == 0
    assert calls("state") == [("not_delivered",), ("delivered",)]


@chunked
@pytest.mark.parametrize("state", ["Ошибка", "FAIL", "Telepathy", ""])
def test_a_failed_text_named_like_a_call_leaves_the_call_alone(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int, state: str
) -> None:
    add_call("flashcall", 0)
    add_call("sms", 1)
    add_row("00:05", "Успешно", VOICE)
    add_row("01:10", state, VOICE, "3.30")
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.total_price, day.matched, day.missing) == (Decimal("3.65"), 2, 0)
    is_failure = state in ("Ошибка", "FAIL")
    assert calls("channel", "state", "price") == [
        ("flashcall", "answered", Decimal("0.35")),
        ("sms", "failed" if is_failure else "placed", Decimal("3.30")),
    ]


@pytest.mark.parametrize("reverse", [True, False])
def test_two_failures_of_an_id_are_told_apart_by_their_time(
    monkeypatch: pytest.MonkeyPatch, reverse: bool
) -> None:
    add_call("flashcall", 0)
    add_call("sms", 1)
    add_row("00:05", "Ошибка", VOICE)
    add_row("01:10", "Ошибка", VOICE, "3.30")
    if reverse:
        ROWS.reverse()
    assert sync_twice(monkeypatch).matched == 2
    assert calls("state", "price") == [("failed", Decimal("0.35")), ("failed", Decimal("3.30"))]


@pytest.mark.parametrize(("time", "found"), [("00:05", "flashcall"), ("01:10", "sms")])
def test_a_single_failure_belongs_to_the_request_that_is_nearest_in_time(
    monkeypatch: pytest.MonkeyPatch, time: str, found: str
) -> None:
    add_call("flashcall", 0)
    add_call("sms", 1)
    add_row(time, "Ошибка", VOICE)
    assert sync_twice(monkeypatch).missing == 1
    assert CallRequest.objects.get(state="failed").channel == found


@chunked
def test_every_foreign_row_of_an_id_is_imported(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    add_row("00:05", "Успешно", FLASH)
    add_row("02:05", "Занято", FLASH, "0.40")
    add_row("03:05", "Доставлено", SMS, "3.30")
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.total_price, day.imported) == (Decimal("4.05"), 3)
    assert calls("channel", "state", "price", "origin", "statuses__state") == [
        ("flashcall", "answered", Decimal("0.35"), "imported", "answered"),
        ("flashcall", "busy", Decimal("0.40"), "imported", "busy"),
        ("sms", "delivered", Decimal("3.30"), "imported", "delivered"),
    ]


def test_rows_that_are_equal_are_as_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        add_row("00:05", "Успешно", VOICE)
    assert sync_twice(monkeypatch).imported == 3
    assert calls("statuses__price") == [(Decimal("0.35"),)] * 3


def test_an_imported_call_never_gets_the_key_of_a_deleted_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_row("00:05", "Успешно", VOICE)
    sync_twice(monkeypatch)
    deleted = CallRequest.objects.get().pk
    CallRequest.objects.all().delete()
    add_row("01:05", "Успешно", VOICE)
    statistics.sync_day(DAY)
    ours = add_call("voice", 5)
    keys = [key for (key,) in calls("id")]
    assert (len(set(keys)), min(keys) > deleted) == (3, True)
    assert max(keys) == ours.pk


@chunked
def test_what_our_calls_leave_is_imported(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    ours = add_call("voice", 0)
    add_row("00:05", "Успешно", VOICE)
    add_row("04:05", "Занято", VOICE)
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.matched, day.imported) == (1, 1)
    ours.refresh_from_db()
    assert ours.state == "answered"
    assert CallRequest.objects.get(origin="imported").state == "busy"


def test_a_row_that_appears_later_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    add_row("02:05", "Успешно", VOICE)
    sync_twice(monkeypatch)
    add_row("01:05", "Занято", VOICE)
    sync_twice(monkeypatch)
    assert calls("state", "statuses__state") == [("busy", "busy"), ("answered", "answered")]


def test_a_row_whose_date_has_changed_is_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    add_row("02:05", "Дозвон", VOICE)
    sync_twice(monkeypatch)
    ROWS.clear()
    add_row("02:09", "Успешно", VOICE)
    assert statistics.sync_day(DAY).statistics.imported == 1
    assert calls("state") == [("answered",)]


@pytest.mark.parametrize("state", ["Telepathy", ""])
def test_a_row_that_names_our_call_is_read_without_word_and_service(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    ours = add_call("flashcall", 0)
    add_row("00:05", state, "")
    day = sync_twice(monkeypatch)
    assert (day.matched, day.missing, day.unreadable, day.total_price) == (1, 0, 0, Decimal("0.35"))
    assert day.counts == {"flashcall": {"other": 1}}
    ours.refresh_from_db()
    assert (ours.state, ours.price, ours.listed_at is not None) == ("placed", Decimal("0.35"), True)
    assert list(ours.statuses.values_list("state", "raw_state")) == [("other", state)]


def test_a_failure_that_names_our_text_is_read_without_a_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_call("sms", 0)
    add_row("00:05", "FAIL", "")
    assert sync_twice(monkeypatch).counts == {"sms": {"failed": 1}}


@pytest.mark.parametrize("number", ["", "hidden", "1" * 16])
def test_a_row_without_a_number_is_matched_by_its_id(
    monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    ours = add_call("flashcall", 0)
    add_row("00:05", "Занято", VOICE, number=number)
    add_row("01:05", "Занято", VOICE, number=number, id="foreign")
    day = sync_twice(monkeypatch)
    assert (day.rows, day.matched, day.imported, day.unreadable) == (1, 1, 0, 1)
    ours.refresh_from_db()
    assert (ours.state, ours.phone) == ("busy", PHONE)


@pytest.mark.parametrize("time", ["00:05", ""])
@pytest.mark.parametrize("odd", [{"number": ""}, {"state": "Telepathy", "service": ""}])
def test_a_row_that_is_not_complete_takes_no_call_from_a_complete_one(
    monkeypatch: pytest.MonkeyPatch, time: str, odd: dict[str, str]
) -> None:
    values = {"state": "Занято", "service": VOICE}
    add_row(time, **{**values, **odd})
    add_row(time, **values)
    day = sync_twice(monkeypatch)
    assert (day.imported, day.unreadable) == (1, 1)


@chunked
def test_reports_without_an_id_are_counted(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    for id in ("1", "", "2", "", ""):
        add_row("00:05", "Успешно", VOICE, id=id)
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.rows, day.unreadable) == (2, 3)


@chunked
def test_unreadable_rows_of_every_chunk_are_counted(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    for id, number in (("1", ""), ("2", PHONE), ("3", ""), ("4", "")):
        add_row("00:05", "Успешно", VOICE, id=id, number=number)
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.rows, day.unreadable, len(day.unreadable_rows)) == (1, 3, 3)


def test_a_row_without_word_and_service_is_unreadable_where_nothing_is_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_row("00:05", "Telepathy", "")
    add_row("01:05", "Успешно", VOICE, id="1001")
    day = sync_twice(monkeypatch)
    assert (day.rows, day.imported, day.unreadable) == (1, 1, 1)
    assert day.unreadable_rows[0]["number"] == "+7 *** ***-**-01"


@chunked
def test_the_lost_text_of_a_call_is_found_by_time(
    monkeypatch: pytest.MonkeyPatch, rows_per_chunk: int
) -> None:
    """It has the id of the call and of the first text."""
    add_call("flashcall", 0)
    add_call("sms", 1)
    lost = add_call("sms", 3, provider_id="", state="unknown")
    add_row("00:05", "Успешно", VOICE)
    add_row("01:05", "Доставлено", SMS, "3.30")
    add_row("03:05", "Доставлено", SMS, "3.30")
    day = sync_twice(monkeypatch, rows_per_chunk)
    assert (day.matched, day.imported, day.missing) == (3, 0, 0)
    lost.refresh_from_db()
    assert (lost.provider_id, lost.state, lost.error_code) == (
        "1000",
        "delivered",
        "matched_by_time",
    )


def test_what_a_run_remembers_does_not_grow_with_the_day() -> None:
    seen = pairing._Seen()
    size = len(seen._bits)
    assert not any(seen.add(str(number)) for number in range(200))
    assert all(seen.add(str(number)) for number in range(200))
    assert len(seen._bits) == size == 4 * 1024 * 1024


def sync_two_days(first: list[str], second: list[str]) -> None:
    """Sync two days, each with the rows of texts at these times, until a run writes nothing."""
    for run in range(3):
        written = 0
        for number, times in ((10, first), (11, second)):
            ROWS.clear()
            for time in times:
                add_row("", "Доставлено", SMS, "3.30", date=f"{number}.03.2026 {time}")
            written += statistics.sync_day(date(2026, 3, number)).written
        assert run == 0 or written == 0


@pytest.mark.parametrize("texts", [1, 2])
def test_rows_of_an_id_on_two_days_are_all_imported(texts: int) -> None:
    sync_two_days(["23:59:00"], ["00:01:00", "00:02:00"][:texts])
    assert calls("origin", "price") == [("imported", Decimal("3.30"))] * (1 + texts)


def test_texts_before_and_after_midnight_have_their_rows() -> None:
    for minute in (719, 721, 722):
        add_call("sms", minute)
    sync_two_days(["23:59:05"], ["00:01:05", "00:02:05"])
    assert [f"{at:%M:%S}" for (at,) in calls("occurred_at")] == ["59:05", "01:05", "02:05"]


@pytest.mark.parametrize("written", ["", "this morning"])
def test_a_row_without_a_date_keeps_its_text(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    for minute in (1, 2, 3):
        add_call("sms", minute)
    add_row("", "Доставлено", SMS, "3.30", date=written)
    assert sync_twice(monkeypatch).missing == 2
    assert calls("price") == [(Decimal("3.30"),), (None,), (None,)]
