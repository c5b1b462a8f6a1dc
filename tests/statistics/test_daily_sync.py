"""The sync of a day makes our calls agree with the provider's daily statistics."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone as django_timezone

from django_voicepassword import signals, statistics, verifications
from django_voicepassword.calls import placing
from django_voicepassword.client import Client
from django_voicepassword.exceptions import ProviderError, UnreadableReply
from django_voicepassword.models import CallRequest, CallStatus, DailyStatistics
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.statistics import sync
from django_voicepassword.statistics.totals import Totals
from tests.sandbox_process import SandboxProcess
from tests.waiting import until

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 9, 0, tzinfo=timezone.utc)
ROW = {
    "id": "1000",
    "number": "79990000001",
    "date": "10.03.2026 12:00:05",
    "duration": "00:04",
    "price": "0.35",
    "service": "Voice Password",
    "state": "Успешно",
}
ANSWER: dict[str, Any] = {}


class Response:
    """An HTTP response with this body."""

    def __init__(self, body: bytes) -> None:
        self.raw = io.BytesIO(body)

    def close(self) -> None:
        pass


class Provider:
    """A client whose day is ``ANSWER``."""

    def daily(self, day: date) -> DailyReport:
        assert day == DAY
        return DailyReport(Response(json.dumps(ANSWER, ensure_ascii=False).encode()), "key")  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def provider_lists(configure: Callable[..., None]) -> Callable[..., None]:
    """``provider_lists(row, row)`` sets the rows that the provider lists for the day."""
    configure(TRANSPORT=f"{__name__}.Provider")

    def change(*rows: Any, **head: Any) -> None:
        ANSWER.clear()
        ANSWER.update({"result": "ok", "rows": str(len(rows)), "data": list(rows), **head})

    change()
    return change


def make_call(**values: Any) -> CallRequest:
    """Create a call that the app placed at noon."""
    defaults: dict[str, Any] = {
        "phone": "79990000001",
        "channel": "flashcall",
        "state": "placed",
        "provider_id": "1000",
        "price": Decimal("0.35"),
        "created_at": NOON,
        "claimed_at": NOON,
        "placed_at": NOON,
    }
    return CallRequest.objects.create(**{**defaults, **values})


def sync_day() -> statistics.DayReport:
    return statistics.sync_day(DAY)


def counts(day: DailyStatistics) -> tuple[int, ...]:
    """Return the numbers of rows, matched, imported, mismatched and missing calls."""
    return (day.rows, day.matched, day.imported, day.mismatched, day.missing)


def history(call: CallRequest) -> list[tuple[str, str]]:
    """Return the source and the state of each status of the call."""
    return list(call.statuses.order_by("id").values_list("source", "state"))


def test_a_call_of_the_app_is_matched_and_moved(provider_lists: Callable[..., None]) -> None:
    call = make_call(next_poll_at=NOON)
    provider_lists(ROW)
    day = sync_day().statistics
    assert counts(day) == (1, 1, 0, 0, 0)
    assert (day.total_price, day.counts) == (Decimal("0.35"), {"flashcall": {"answered": 1}})
    call.refresh_from_db()
    assert (call.state, call.duration, call.service, call.difference) == (
        "answered",
        4,
        "Voice Password",
        0,
    )
    # Five seconds after noon in Moscow.
    assert call.occurred_at == NOON + timedelta(seconds=5)
    assert (call.next_poll_at, call.listed_at is not None, call.finished_at is not None) == (
        None,
        True,
        True,
    )
    status = call.statuses.get()
    assert (status.source, status.raw_state, status.occurred_at) == (
        "daily",
        "Успешно",
        call.occurred_at,
    )
    assert status.payload == {**ROW, "number": "+7 *** ***-**-01"}


@pytest.mark.parametrize(
    ("written", "microsecond"),
    [
        ("10.03.2026 12:00:05", 0),
        ("10/03/2026 12:00:05", 0),
        ("2026-03-10T09:00:05Z", 0),
        ("2026-03-10 14:00:05.250 +05:00", 250_000),
    ],
)
def test_a_row_is_dated_in_every_form(
    provider_lists: Callable[..., None], written: str, microsecond: int
) -> None:
    call = make_call()
    foreign = {**ROW, "id": "7", "date": written}
    # The second is read quickly, from the cached values of the first.
    provider_lists({**ROW, "date": written}, foreign, {**foreign, "id": "8"})
    sync_day()
    assert sync_day().written == 0
    at = NOON + timedelta(seconds=5, microseconds=microsecond)
    assert set(CallRequest.objects.values_list("occurred_at", flat=True)) == {at}
    assert call.statuses.get().payload["date"] == written


def test_a_second_sync_writes_only_changes(provider_lists: Callable[..., None]) -> None:
    call, other = make_call(), make_call(provider_id="1001", phone="79990000002")
    rows = [
        ROW,
        {**ROW, "id": "1001", "state": "Дозвон"},
        {**ROW, "id": "7", "number": "79990000003"},
    ]
    provider_lists(*rows)
    first = sync_day()
    second = sync_day()
    assert (first.written, second.written) == (3, 0)
    assert counts(first.statistics) == counts(second.statistics) == (3, 2, 1, 0, 0)
    assert DailyStatistics.objects.count() == 1
    rows[1]["state"] = "Занято"
    provider_lists(*rows)
    third = sync_day()
    assert third.written == 1
    assert history(other) == [("daily", "dialing"), ("daily", "busy")]
    assert len(history(call)) == 1
    imported = CallRequest.objects.get(provider_id="7")
    assert (imported.origin, len(history(imported))) == ("imported", 1)


def test_calls_that_the_app_did_not_send_are_imported(provider_lists: Callable[..., None]) -> None:
    provider_lists(
        {**ROW, "service": "Flash Call"},
        {**ROW, "id": "1001", "service": "SMS", "state": "Доставлено", "price": "3.30"},
    )
    assert counts(sync_day().statistics) == (2, 0, 2, 0, 0)
    call, sms = CallRequest.objects.order_by("provider_id")
    assert (call.origin, call.channel, call.state, call.price) == (
        "imported",
        "flashcall",
        "answered",
        Decimal("0.35"),
    )
    assert (sms.channel, sms.state, sms.price) == ("sms", "delivered", Decimal("3.30"))
    assert call.created_at == call.placed_at == call.finished_at == NOON + timedelta(seconds=5)
    assert (call.verification, call.code_digest) == (None, "")


@pytest.mark.parametrize(
    ("values", "differences"),
    [
        ({"state": "busy"}, ["state"]),
        ({"price": Decimal("0.30")}, ["price"]),
        ({"duration": 9}, ["duration"]),
        ({"state": "busy", "price": Decimal("1"), "duration": 0}, ["state", "price", "duration"]),
        ({"state": "answered", "duration": 4}, []),
        ({"state": "placed", "price": None}, []),
        ({"state": "unknown", "error_code": "no_reply"}, []),
    ],
)
def test_on_a_difference_the_providers_value_wins_and_both_stay_in_the_history(
    provider_lists: Callable[..., None], values: dict[str, Any], differences: list[str]
) -> None:
    call = make_call(**values)
    CallStatus.objects.create(
        call=call, state=call.state, price=call.price, duration=call.duration, source="callback"
    )
    provider_lists(ROW)
    for _ in range(2):
        assert counts(sync_day().statistics) == (1, 1, 0, int(bool(differences)), 0)
    call.refresh_from_db()
    assert (call.state, call.price, call.duration) == ("answered", Decimal("0.35"), 4)
    assert call.differences == differences
    statuses = list(
        call.statuses.order_by("id").values_list("source", "state", "price", "duration")
    )
    assert statuses[1:] == [("daily", "answered", Decimal("0.35"), 4)]


def test_a_row_that_changes_with_every_sync_has_twenty_reports(
    provider_lists: Callable[..., None],
) -> None:
    call = make_call()
    for duration in range(1, 31):
        provider_lists({**ROW, "duration": str(duration)})
        sync_day()
    assert [source for source, _ in history(call)] == ["daily"] * 20
    call.refresh_from_db()
    assert call.duration == 30


def test_a_call_and_its_sms_may_have_the_same_id(provider_lists: Callable[..., None]) -> None:
    call, sms = make_call(), make_call(channel="sms", price=Decimal("3.30"))
    provider_lists(
        ROW,
        {**ROW, "service": "SMS", "state": "Не доставлено", "price": "3.30", "duration": "00:00"},
    )
    assert counts(sync_day().statistics) == (2, 2, 0, 0, 0)
    call.refresh_from_db()
    sms.refresh_from_db()
    assert (call.state, sms.state) == ("answered", "not_delivered")


def test_an_unknown_call_is_found_by_number_time_and_channel(
    provider_lists: Callable[..., None],
) -> None:
    lost = make_call(provider_id="", state="unknown", error_code="no_reply", price=None)
    far = make_call(
        provider_id="", state="unknown", claimed_at=NOON - timedelta(hours=2), error_code="no_reply"
    )
    sms = make_call(provider_id="", state="unknown", channel="sms", error_code="no_reply")
    provider_lists(ROW)
    assert counts(sync_day().statistics) == (1, 1, 0, 0, 2)
    lost.refresh_from_db()
    assert (lost.provider_id, lost.state, lost.error_code) == (
        "1000",
        "answered",
        "matched_by_time",
    )
    for other in (far, sms):
        other.refresh_from_db()
        assert (other.provider_id, other.error_code) == ("", "no_reply")
    assert sync_day().written == 0


@pytest.mark.parametrize("word", ["Успешно", "Дозвон"])
def test_a_settled_call_keeps_no_error_of_its_polls(
    provider_lists: Callable[..., None], word: str
) -> None:
    call = make_call(state="unknown", error_code="ID_Not_Found", finished_at=NOON)
    silent = make_call(provider_id="7", state="unknown", error_code="no_reply")
    provider_lists({**ROW, "state": word}, {**ROW, "id": "7"})
    sync_day()
    call.refresh_from_db()
    silent.refresh_from_db()
    is_final = word == "Успешно"
    assert (call.state, call.error_code) == (
        ("answered", "") if is_final else ("dialing", "ID_Not_Found")
    )
    # Not the error of a poll: it says why nobody saw the code at once.
    assert (silent.state, silent.error_code) == ("answered", "no_reply")


def test_two_unknown_calls_of_a_number_match_the_nearest_rows(
    provider_lists: Callable[..., None],
) -> None:
    first = make_call(provider_id="", state="unknown")
    second = make_call(provider_id="", state="unknown", claimed_at=NOON + timedelta(seconds=60))
    known = make_call(provider_id="5", claimed_at=NOON + timedelta(seconds=62))
    provider_lists(
        {**ROW, "id": "5", "date": "10.03.2026 12:01:02"},
        {**ROW, "id": "6", "date": "10.03.2026 12:01:01"},
        {**ROW, "id": "7", "date": "10.03.2026 12:00:01"},
    )
    sync_day()
    for call, id in ((first, "7"), (second, "6"), (known, "5")):
        call.refresh_from_db()
        assert call.provider_id == id


def test_calls_that_the_provider_does_not_list_are_missing(
    provider_lists: Callable[..., None],
) -> None:
    make_call()
    make_call(provider_id="1001")
    make_call(provider_id="", state="unknown", phone="79990000005")
    make_call(provider_id="", state="refused")
    make_call(provider_id="", state="queued", claimed_at=None)
    make_call(provider_id="test", state="answered", service="test number")
    make_call(provider_id="1002", created_at=NOON - timedelta(days=1))
    provider_lists(ROW)
    assert sync_day().statistics.missing == 2


def test_unreadable_rows_are_counted_stored_and_logged(
    provider_lists: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    bad = [
        {},
        "text",
        None,
        {**ROW, "id": ""},
        {**ROW, "number": ""},
        {**ROW, "id": "1", "state": "", "service": ""},
    ]
    provider_lists(*bad, ROW, rows="99")
    with caplog.at_level(logging.WARNING):
        day = sync_day().statistics
    assert (day.rows, day.imported, day.unreadable, day.told_rows) == (1, 1, 6, 99)
    assert day.unreadable_rows[4] == {**ROW, "number": "***"}
    assert "6 rows cannot be read" in caplog.text
    assert "the provider says 99 rows and sends 7" in caplog.text
    assert "79990000001" not in caplog.text


@pytest.mark.parametrize(
    "odd",
    [
        {"state": "TELEPORTED"},
        {"date": "yesterday"},
        {"date": "31.02.2026 12:00:00"},
        {"date": "10.03.0001 12:00:00"},
        {"date": None},
        {"price": "many"},
        {"price": 0.35},
        {"duration": "99:99:99:99"},
        {"id": 1000},
        {"id": "a" * 64},
        {"service": 'Voice "Password"\t\\N\n'},
        {"state": "Успешно\x00"},
        {"number": "+7 (999) 000-00-01"},
        {"number": 79990000001},
        {"more": "79990000001"},
    ],
)
def test_a_row_with_malformed_values_is_stored(
    provider_lists: Callable[..., None], odd: dict[str, Any]
) -> None:
    # Usual rows before and after it, because the reader caches repeated values.
    provider_lists(
        {**ROW, "id": "1"}, {**ROW, **odd}, {**ROW, "id": "2"}, {**ROW, **odd, "id": "3"}
    )
    for _ in range(2):
        assert sync_day().statistics.rows == 4
    assert CallRequest.objects.count() == 4
    call = CallRequest.objects.get(provider_id=str(odd.get("id", "1000")))
    assert (call.phone, call.channel) == ("79990000001", "voice")
    assert "79990000001" not in json.dumps(call.statuses.get().payload)
    if "state" in odd and odd["state"] == "TELEPORTED":
        assert (call.state, call.statuses.get().raw_state) == ("placed", "TELEPORTED")


def test_a_day_is_merged_in_chunks(
    provider_lists: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "CHUNK", 7)
    progress: list[int] = []
    provider_lists(
        *({**ROW, "id": str(number), "number": f"7999{number:07}"} for number in range(50))
    )
    day = statistics.sync_day(DAY, progress=progress.append).statistics
    assert counts(day) == (50, 0, 50, 0, 0)
    assert day.total_price == Decimal("17.50")
    assert progress == [*range(7, 50, 7), 50]


def test_a_failed_sync_keeps_the_old_figures_and_the_merged_calls(
    provider_lists: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "CHUNK", 5)
    provider_lists(*({**ROW, "id": str(number)} for number in range(10)))
    before = sync_day().statistics
    provider_lists(*({**ROW, "id": str(number)} for number in range(20)), result="maybe")
    with pytest.raises(UnreadableReply):
        sync_day()
    assert counts(DailyStatistics.objects.get()) == counts(before)
    assert CallRequest.objects.count() == 20
    provider_lists(*({**ROW, "id": str(number)} for number in range(20)))
    again = sync_day()
    assert (again.statistics.rows, again.written) == (20, 0)
    provider_lists(result="error", error_code="Date_is_Empty")
    with pytest.raises(ProviderError):
        sync_day()


@pytest.mark.parametrize(
    "answer",
    [
        {"result": "ok", "rows": "2"},
        {"result": "ok", "rows": "2", "items": [ROW, ROW]},
        {"result": "ok", "rows": "2", "data": [{"call": 1}, {"call": 2}]},
        {"result": "ok", "data": [{**ROW, "state": "Telepathy", "service": "", "id": "foreign"}]},
        {"result": "ok", "data": None},
        {"result": "ok", "data": []},
        {"result": "ok", "rows": "", "data": {}},
    ],
)
def test_a_day_of_which_nothing_is_read_keeps_the_old_figures(
    provider_lists: Callable[..., None], answer: dict[str, Any]
) -> None:
    provider_lists(ROW)
    before = sync_day().statistics
    ANSWER.clear()
    ANSWER.update(answer)
    with pytest.raises(UnreadableReply):
        sync_day()
    assert counts(DailyStatistics.objects.get()) == counts(before) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize("key", ["data", "Data", " DATA "])
def test_a_day_in_another_dress_is_read(provider_lists: Callable[..., None], key: str) -> None:
    ANSWER.clear()
    ANSWER.update({"result": "ok", "rows": "2", key: {"0": ROW, "1": {**ROW, "id": "7"}}})
    assert counts(sync_day().statistics) == (2, 0, 2, 0, 0)


def test_a_sync_sends_a_signal(provider_lists: Callable[..., None]) -> None:
    received = []

    def receive(statistics: DailyStatistics, **kwargs: Any) -> None:
        received.append(statistics.date)

    signals.daily_synced.connect(receive)
    try:
        sync_day()
    finally:
        signals.daily_synced.disconnect(receive)
    assert received == [DAY]


@pytest.mark.parametrize("use_tz", [True, False])
def test_the_day_is_in_the_providers_time_zone_with_and_without_use_tz(
    provider_lists: Callable[..., None], settings: Any, use_tz: bool
) -> None:
    settings.USE_TZ = use_tz
    settings.TIME_ZONE = "Asia/Vladivostok"
    last_second = datetime(2026, 3, 10, 20, 59, 59, tzinfo=timezone.utc)
    late = last_second if use_tz else django_timezone.make_naive(last_second)
    call = make_call(created_at=late, claimed_at=late, placed_at=late, provider_id="9")
    missed = make_call(
        provider_id="",
        state="unknown",
        created_at=late,
        claimed_at=late,
        placed_at=late,
        phone="79990000009",
    )
    provider_lists(
        {**ROW, "id": "9", "date": "10.03.2026 23:59:59"},
        {**ROW, "id": "10", "number": "79990000009", "date": "11.03.2026 00:00:01"},
    )
    assert counts(sync_day().statistics) == (2, 2, 0, 0, 0)
    call.refresh_from_db()
    missed.refresh_from_db()
    assert call.occurred_at == late
    assert missed.provider_id == "10"
    provider_lists()
    CallRequest.objects.update(listed_at=None)
    assert sync_day().statistics.missing == 2


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.1) as process:
        yield process


def test_a_young_unknown_row_is_left_to_the_next_sync(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    """The reply to our request may still be on its way; an import now would double the call."""
    configure(TRANSPORT="http", API_KEY=sandbox.key, API_URL=sandbox.api_url)
    sandbox.reset()
    Client(sandbox.key, base_url=sandbox.api_url).flash_call("79990000001", code="1234")
    today = sync.provider_today()
    assert counts(statistics.sync_day(today).statistics) == (1, 0, 0, 0, 0)
    assert not CallRequest.objects.exists()
    sandbox.age()
    assert counts(statistics.sync_day(today - timedelta(days=1)).statistics) == (1, 0, 1, 0, 0)


def test_a_day_of_the_sandbox_agrees_with_our_calls(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    configure(
        TRANSPORT="http",
        DISPATCH="celery",
        API_KEY=sandbox.key,
        API_URL=sandbox.api_url,
        TIMEOUT=(10, 10),
        RESEND_AFTER=0,
    )
    for number in ("79990000101", "79990000103", "79990000303", "79990000201"):
        call = verifications.start(number).calls.get()
        placing.place(call.pk)
    verification = verifications.start("79990000102")
    placing.place(verification.calls.get().pk)
    verifications.resend(verification.id, channel="sms")
    placing.place(verification.calls.get(channel="sms").pk)
    until(lambda: sandbox.calls()[-1]["state"] == "DELIVERED")
    day = statistics.sync_day(sync.provider_today()).statistics
    assert counts(day) == (5, 5, 0, 0, 0)
    states = dict(CallRequest.objects.values_list("phone", "state").exclude(channel="sms"))
    assert states == {
        "79990000101": "answered",
        "79990000103": "busy",
        # The sandbox dropped the reply to this call.
        "79990000303": "no_answer",
        "79990000201": "refused",
        "79990000102": "no_answer",
    }
    assert CallRequest.objects.get(channel="sms").state == "delivered"
    assert day.total_price == Decimal("4.70")


def test_a_failed_chunk_is_rolled_back_and_merged_by_the_next_sync(
    provider_lists: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider_lists(ROW)
    with monkeypatch.context() as patch:
        patch.setattr(Totals, "add_rows", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync_day()
    assert counts(sync_day().statistics) == (1, 0, 1, 0, 0)
    assert CallStatus.objects.count() == CallRequest.objects.count() == 1
