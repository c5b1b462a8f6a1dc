"""Daily rows are read the same quickly, from cached values, and slowly, with a full parse.

``tests/hostile/test_rows.py`` compares the two on random rows.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider import protocol
from django_voicepassword.provider.protocol import daily_rows
from tests.daily_row import USUAL_ROW

STORED_ROW = {**USUAL_ROW, "number": "+7 *** ***-**-01"}
#: An API key as long as a date.
SECRET = "s" * 20


def read_after(row: Any, earlier: Any = USUAL_ROW, secret: str = SECRET) -> protocol.DailyRow:
    """Read a row after another one, from whose values the reader builds its cache."""
    reader = protocol.RowReader(secret)
    reader.read(earlier)
    return reader.read(row)


def test_a_row_read_quickly_equals_a_row_read_slowly_but_for_its_date() -> None:
    reader = protocol.RowReader()
    slow, quick = (
        reader.read(USUAL_ROW),
        reader.read({**USUAL_ROW, "id": "a2", "number": "79990000002"}),
    )
    assert slow == protocol.DailyRow(
        id="100001",
        number="79990000001",
        date=datetime(2020, 9, 11, 13, 34, 39),
        outcome=protocol.Outcome(
            is_sms=False,
            is_kind_certain=True,
            channel="voice",
            state="answered",
            raw_state="Успешно",
            duration=4,
            price=Decimal("0.35"),
            service="Voice Password",
        ),
        payload=json.dumps(STORED_ROW, ensure_ascii=False),
    )
    payload = json.dumps(
        {**STORED_ROW, "id": "a2", "number": "+7 *** ***-**-02"}, ensure_ascii=False
    )
    assert quick == slow._replace(
        id="a2", number="79990000002", date=USUAL_ROW["date"], payload=payload
    )
    assert repr(quick) == "<DailyRow a2 voice Успешно>"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x" * 64},
        {"number": "1" * 10},
        {"number": "1" * 15},
        {"id": "9990000001"},
        {"date": "2020-09-11 13:34:39"},
    ],
)
def test_a_usual_row_is_read_quickly(change: dict[str, str]) -> None:
    row = read_after({**USUAL_ROW, **change})
    assert row.date == {**USUAL_ROW, **change}["date"]
    assert json.loads(row.payload)["id"] == row.id == {**USUAL_ROW, **change}["id"]


@pytest.mark.parametrize(
    ("change", "id", "number"),
    [
        ({"id": "1-2"}, "1-2", "79990000001"),
        ({"id": "ёж"}, "ёж", "79990000001"),
        ({"id": 12}, "12", "79990000001"),
        ({"id": "x" * 65}, "x" * 64, "79990000001"),
        ({"id": "x79990000001"}, "x79990000001", "79990000001"),
        ({"id": SECRET}, SECRET, "79990000001"),
        ({"number": "+79990000001"}, "100001", "79990000001"),
        ({"number": "1" * 9}, "100001", "1" * 9),
        ({"number": 79990000001}, "100001", "79990000001"),
        ({"date": "11.09.2020"}, "100001", "79990000001"),
        ({"date": None}, "100001", "79990000001"),
        ({"note": "x"}, "100001", "79990000001"),
    ],
)
def test_an_unusual_row_is_read_slowly(change: dict[str, Any], id: str, number: str) -> None:
    row = read_after({**USUAL_ROW, **change})
    assert (row.id, row.number) == (id, number)
    assert not isinstance(row.date, str)
    assert row == daily_rows.row_of(protocol.parse_report({**USUAL_ROW, **change}, SECRET))


@pytest.mark.parametrize("change", [{"id": "x79990000001"}, {"id": f"a{SECRET}"}])
def test_an_unusual_id_leaks_no_secret_or_number(change: dict[str, str]) -> None:
    payload = read_after({**USUAL_ROW, **change}).payload
    assert SECRET not in payload
    assert "7999000" not in payload


@pytest.mark.parametrize("number", ["1" * 16, "1" * 21, "none", "", None])
def test_a_row_without_a_valid_number_is_not_complete(number: str | None) -> None:
    row = read_after({**USUAL_ROW, "number": number})
    assert (row.number, row.is_complete) == ("", False)
    assert read_after(USUAL_ROW).is_complete


@pytest.mark.parametrize("name", ["duration", "price", "service", "state"])
def test_the_cache_is_used_only_for_exactly_equal_values(name: str) -> None:
    other = {"duration": "5", "price": "0.70", "service": "Flash Call", "state": "Занято"}[name]
    first, second = read_after(USUAL_ROW), read_after({**USUAL_ROW, name: other})
    assert isinstance(first.date, str)
    assert isinstance(second.date, datetime)
    assert json.loads(second.payload)[name] == other
    values = {
        "duration": second.outcome.duration,
        "price": second.outcome.price,
        "service": second.outcome.service,
        "state": second.outcome.raw_state,
    }
    assert str(values[name]) == other


def test_values_of_up_to_64_characters_are_cached() -> None:
    for length, is_quick in ((64, True), (65, False)):
        row = {**USUAL_ROW, "service": "v" * length}
        assert isinstance(read_after(row, row).date, str) == is_quick


@pytest.mark.parametrize(
    "odd",
    [{"duration": 4}, {"price": 0.35}, {"service": None}, {"service": ["x"]}, {"state": "BUSY "}],
)
def test_only_text_values_are_cached(odd: dict[str, Any]) -> None:
    row = {**USUAL_ROW, **odd}
    assert isinstance(read_after(row, row).date, str) == ("state" in odd)


def test_a_row_without_a_field_is_not_cached() -> None:
    reader = protocol.RowReader()
    for name in ("number", "date", "duration", "price", "service"):
        if name != "number":
            reader.read({key: value for key, value in USUAL_ROW.items() if key != name})
    reader.read({key: value for key, value in USUAL_ROW.items() if key != "date"} | {"more": "x"})
    assert reader._cache == {}


def test_the_number_of_cached_combinations_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert daily_rows.MAX_CACHED == 50_000
    monkeypatch.setattr(daily_rows, "MAX_CACHED", 3)
    reader = protocol.RowReader()
    for seconds in range(5):
        reader.read({**USUAL_ROW, "duration": str(seconds)})
    assert [key[0] for key in reader._cache] == ["0", "1", "2"]


def test_a_row_without_an_id_is_unreadable() -> None:
    report = {"number": "79990000001", "state": "BUSY"}
    with pytest.raises(UnreadableReply, match="no id"):
        protocol.row_of(protocol.parse_report(report))
    with pytest.raises(UnreadableReply, match="no id"):
        protocol.RowReader().read(report)


@pytest.mark.parametrize(
    ("values", "is_sms", "channel", "state"),
    [
        ({"state": "BUSY"}, False, "voice", "busy"),
        ({}, None, "", None),
        ({"state": "FAIL"}, None, "", "failed"),
        ({"state": "Telepathy"}, None, "", None),
        ({"state": "BUSY", "service": "Flash Call"}, False, "flashcall", "busy"),
        ({"state": "DELIVERED"}, True, "sms", "delivered"),
        ({"service": "SMS"}, True, "sms", None),
        ({"service": "Flash Call", "state": "Telepathy"}, False, "flashcall", None),
    ],
)
def test_the_channel_follows_from_state_and_service(
    values: dict[str, str], is_sms: bool | None, channel: str, state: str | None
) -> None:
    row = protocol.row_of(protocol.parse_report({"id": "1", "number": "1" * 15, **values}))
    assert (row.outcome.is_sms, row.outcome.channel, row.outcome.state) == (is_sms, channel, state)
    assert row.is_complete == (is_sms is not None)
    assert (row.outcome.raw_state, row.outcome.service) == (
        values.get("state", ""),
        values.get("service", ""),
    )


def test_a_report_made_by_hand_has_a_masked_payload() -> None:
    row = protocol.row_of(
        protocol.Report(id="1", number="79990000001", state="busy", raw_state="BUSY")
    )
    assert json.loads(row.payload) == {"id": "1", "number": "+7 *** ***-**-01"}


def test_a_row_with_missing_fields_is_read() -> None:
    row = protocol.RowReader().read({"id": "1", "number": "79990000001", "state": "BUSY"})
    assert (row.id, row.number, row.outcome.state, row.outcome.price) == (
        "1",
        "79990000001",
        "busy",
        None,
    )
