"""Reports are parsed within bounds and masked."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider import protocol

NUMBER = "79990000001"


def test_every_field_is_parsed() -> None:
    payload = {
        "ID": "12",
        "Number": "+7 999 000-00-01",
        "state": "Успешно",
        "duration": "00:04",
        "price": 0.35,
        "date": "11.09.2020 13:34:39",
        "service": "Voice Password",
    }
    report = protocol.parse_report(payload)
    assert report == protocol.Report(
        "12",
        NUMBER,
        "answered",
        "Успешно",
        4,
        Decimal("0.35"),
        datetime(2020, 9, 11, 13, 34, 39),
        "Voice Password",
    )
    assert report.kind == "call"
    assert dict(report.raw) == {**payload, "Number": "+7 *** ***-**-01", "price": "0.35"}
    assert NUMBER not in repr(report)
    assert "raw=" not in repr(report)
    # Equality ignores the stored payload.
    assert report == protocol.parse_report({**payload, "note": "x"})


@pytest.mark.parametrize("key", ["id", "number", "state", "duration", "price", "date", "service"])
def test_one_known_field_is_enough(key: str) -> None:
    report = protocol.parse_report({key: "5", "note": "x"})
    assert report.raw
    with pytest.raises(UnreadableReply, match="at least one of"):
        protocol.parse_report({key: "", "note": "x"})


def test_absent_and_invalid_fields_are_none() -> None:
    report = protocol.parse_report({"duration": "x", "number": "none"})
    assert report == protocol.Report()
    assert protocol.Report() == protocol.Report(None, None, None, None, None, None, None, None, {})


@pytest.mark.parametrize("payload", [None, "BUSY", 5, [], [{"state": "BUSY"}]])
def test_a_report_must_be_an_object(payload: Any) -> None:
    with pytest.raises(UnreadableReply, match="must be a JSON object"):
        protocol.parse_report(payload)


def test_values_are_cut_to_their_length() -> None:
    report = protocol.parse_report(
        {"id": "i" * 70, "number": "7" * 30, "state": "s" * 70, "service": "v" * 70}
    )
    assert (report.id, report.number) == ("i" * 64, "7" * 20)
    assert (report.state, report.raw_state, report.service) == ("other", "s" * 64, "v" * 64)


def test_state_and_service_show_no_number_secret_or_code() -> None:
    report = protocol.parse_report(
        {
            "number": "999 0001",
            "state": "BUSY 999 0001 s3cret 4821",
            "service": "Flash 999 0001 s3cret 4821",
            "note": "s3cret",
        },
        "s3cret",
        None,
    )
    assert (report.raw_state, report.service) == ("BUSY *** *** ***", "Flash *** *** ***")
    assert report.raw["note"] == "***"
    # A mask may be longer than what it hides.
    report = protocol.parse_report({"number": "1", "state": "1" * 40, "service": "1" * 40})
    assert (report.raw_state, report.service) == ("*" * 64, "*" * 64)


def test_a_date_with_a_zone_is_converted_to_the_providers_wall_clock() -> None:
    report = protocol.parse_report({"id": "1", "date": "2020-02-02T12:18:48Z"})
    assert report.date == datetime(2020, 2, 2, 15, 18, 48)
    assert report.moment == datetime(2020, 2, 2, 12, 18, 48, tzinfo=timezone.utc)
