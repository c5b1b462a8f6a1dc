"""Reports are parsed within bounds and masked, from every format in which a callback may come."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from email.parser import BytesParser
from typing import Any

import pytest

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider import protocol
from django_voicepassword.provider.protocol import reports

NUMBER = "79990000001"


def multipart(*parts: bytes) -> bytes:
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


def part(name: str, value: bytes) -> bytes:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


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


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"id": "12", "state": "BUSY"}', "application/x-www-form-urlencoded"),
        (b' \t\r\n{"id": "12", "state": "BUSY"}', ""),
        (b"id=12&state=BUSY", ""),
        (b"id=12&state=BUSY", "application/json"),
        (b"state=FAIL&id=12&state=BUSY&empty=", "x"),
        (multipart(part("id", b"12"), part("state", b"BUSY")), "multipart/form-data; boundary=x"),
        (multipart(part("id", b"12"), part("state", b"BUSY")), " Multipart/Form-Data; boundary=x"),
        (
            multipart(part("id", b"12"), b"\r\nno name", part("state", b"BUSY")),
            "multipart/mixed; boundary=x",
        ),
        (
            multipart(part("id", b"12"), part("x", b"\xff"), part("state", b"BUSY")),
            "multipart/form-data; boundary=x",
        ),
        (
            multipart(part("id", b"12"), part("state", b"BUSY")),
            f"multipart/form-data; boundary=x; a={'b' * 400}",
        ),
        (
            multipart(part("id", b"12"), part("state", b"BUSY")),
            "multipart/form-data;\r\n boundary=x\n; a=\u20ac",
        ),
    ],
)
def test_a_callback_is_parsed_in_every_format(body: bytes, content_type: str) -> None:
    report = protocol.parse_callback(body, content_type)
    assert (report.id, report.state) == ("12", "busy")


@pytest.mark.parametrize(
    "body",
    [b'{"state": "BUSY s3cret"}', b"state=BUSY+s3cret", multipart(part("state", b"BUSY s3cret"))],
)
def test_secrets_in_a_callback_are_masked(body: bytes) -> None:
    content_type = "multipart/form-data; boundary=x" if body.startswith(b"--") else ""
    assert protocol.parse_callback(body, content_type, "s3cret").raw_state == "BUSY ***"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", ""),
        (b"[]", ""),
        (b'["state=BUSY"]', ""),
        (b"state=\xff", ""),
        (b"&".join([b"a=1"] * 50) + b"&state=BUSY", ""),
        (multipart(part("state", b"BUSY")), "multipart/form-data"),
        (multipart(part("state", b"BUSY")), "multipart/form-data; boundary=y"),
        (
            multipart(*[part("a", b"1")] * 50, part("state", b"BUSY")),
            "multipart/form-data; boundary=x",
        ),
        (part("state", b"BUSY"), "multipart/form-data; boundary=x"),
        (multipart(part("state", b"BUSY")), f"multipart/form-data; a={'b' * 400}; boundary=x"),
    ],
)
def test_an_invalid_callback_is_unreadable(body: bytes, content_type: str) -> None:
    with pytest.raises(UnreadableReply) as caught:
        protocol.parse_callback(body, content_type)
    assert caught.value.__cause__ is None


def test_fifty_fields_are_accepted() -> None:
    assert protocol.parse_callback(b"&".join([b"a=1"] * 49) + b"&state=BUSY").state == "busy"
    body = multipart(*[part("a", b"1")] * 49, part("state", b"BUSY"))
    assert protocol.parse_callback(body, "multipart/form-data; boundary=x").state == "busy"


def test_a_callback_is_limited_to_64_kib() -> None:
    assert protocol.MAX_CALLBACK_BYTES == 64 * 1024
    body = b"state=BUSY&a=" + b"x" * (65536 - 13)
    assert protocol.parse_callback(body).state == "busy"
    with pytest.raises(UnreadableReply, match="at most 65536 bytes"):
        protocol.parse_callback(body + b"x")


def test_a_multipart_body_is_limited_to_a_thousand_lines() -> None:
    head = part("state", b"BUSY")
    lines = len(multipart(head).splitlines())
    body = multipart(head, part("note", b"\r\n" * (1000 - lines - 4)))
    assert len(body.splitlines()) == 1000
    assert protocol.parse_callback(body, "multipart/form-data; boundary=x").state == "busy"
    with pytest.raises(UnreadableReply, match="at most 1000 lines"):
        protocol.parse_callback(body + b"\r\n", "multipart/form-data; boundary=x")


def test_any_error_of_the_multipart_parser_is_an_unreadable_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: Any) -> None:
        raise LookupError("unknown charset")

    monkeypatch.setattr(BytesParser, "parsebytes", broken)
    with pytest.raises(UnreadableReply):
        reports.parse_callback(b"--b", "multipart/form-data; boundary=b")
