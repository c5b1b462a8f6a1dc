"""The body alone decides how a callback is read: as JSON, a form or a multipart form."""

from __future__ import annotations

from email.parser import BytesParser
from typing import Any

import pytest

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider import protocol

#: "Занято": busy.
BUSY_1251 = "Занято".encode("cp1251")


def multipart(*parts: bytes, boundary: bytes = b"x", end: bytes = b"\r\n") -> bytes:
    lines = b"".join(b"--" + boundary + end + part + end for part in parts)
    return lines + b"--" + boundary + b"--" + end


def part(name: str, value: bytes, end: bytes = b"\r\n") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"'.encode() + end + end + value


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "12", "state": "BUSY"}',
        b' \t\r\n{"id": "12", "state": "BUSY"}',
        b'\xef\xbb\xbf{"id": "12", "state": "BUSY"}',
        b'\n\xef\xbb\xbf {"id": "12", "state": "BUSY"}',
        b"id=12&state=BUSY",
        b"\xef\xbb\xbfid=12&state=BUSY",
        b"state=FAIL&id=12&state=BUSY&empty=",
        # No line ends here: a form whose first field has an odd name.
        b"--x=1&id=12&state=BUSY",
        multipart(part("id", b"12"), part("state", b"BUSY")),
        b"\r\n" + multipart(part("id", b"12"), part("state", b"BUSY")),
        b"\xef\xbb\xbf" + multipart(part("id", b"12"), part("state", b"BUSY")),
        multipart(part("id", b"12", b"\n"), part("state", b"BUSY", b"\n"), end=b"\n"),
        multipart(part("id", b"12"), b"\r\nno name", part("state", b"BUSY")),
        multipart(part("id", b"12"), part("x", b"\xff"), part("state", b"BUSY")),
        multipart(part("id", b"12"), part("state", b"BUSY"), boundary=b"----WebKitFormBoundary7M"),
        multipart(part("id", b"12"), part("state", b"BUSY"), boundary=b"=_(x) '+,./:=?\"\\"),
        multipart(part("id", b"12"), part("state", b"BUSY"))[:-7],
    ],
)
def test_the_body_alone_decides_how_it_is_read(body: bytes) -> None:
    report = protocol.parse_callback(body)
    assert (report.id, report.state) == ("12", "busy")


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": "12", "state": "' + BUSY_1251 + b'"}',
        b"id=12&state=" + BUSY_1251,
        b"id=12&state=%C7%E0%ED%FF%F2%EE",
        b"id=12&state=%D0%97%D0%B0%D0%BD%D1%8F%D1%82%D0%BE&note=%C7%E0%ED%FF%F2%EE",
        b"id=12&state=" + "Занято".encode() + b"&note=" + BUSY_1251,
        multipart(part("id", b"12"), part("state", BUSY_1251)),
    ],
)
def test_windows_1251_is_read_where_a_value_is_not_utf_8(body: bytes) -> None:
    report = protocol.parse_callback(body)
    assert (report.id, report.state, report.raw_state) == ("12", "busy", "Занято")
    assert report.raw.get("note", "Занято") == "Занято"


@pytest.mark.parametrize(
    "body",
    [b'{"state": "BUSY s3cret"}', b"state=BUSY+s3cret", multipart(part("state", b"BUSY s3cret"))],
)
def test_secrets_in_a_callback_are_masked(body: bytes) -> None:
    assert protocol.parse_callback(body, "s3cret", None).raw_state == "BUSY ***"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'["state=BUSY"]',
        b'["a&state=BUSY"]',
        b"&".join([b"a=1"] * 50) + b"&state=BUSY",
        multipart(*[part("a", b"1")] * 50, part("state", b"BUSY")),
        part("state", b"BUSY"),
        multipart(part("state", b"BUSY")).replace(b"\r\n--x--", b"\r\n--y--")[8:],
    ],
)
def test_an_invalid_callback_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableReply) as caught:
        protocol.parse_callback(body)
    assert caught.value.__cause__ is None


def test_fifty_fields_are_accepted() -> None:
    assert protocol.parse_callback(b"&".join([b"a=1"] * 49) + b"&state=BUSY").state == "busy"
    body = multipart(*[part("a", b"1")] * 49, part("state", b"BUSY"))
    assert protocol.parse_callback(body).state == "busy"


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
    assert protocol.parse_callback(body).state == "busy"
    with pytest.raises(UnreadableReply, match="at most 1000 lines"):
        protocol.parse_callback(body + b"\r\n")


def test_any_error_of_the_multipart_parser_is_an_unreadable_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: Any) -> None:
        raise LookupError("unknown charset")

    monkeypatch.setattr(BytesParser, "parsebytes", broken)
    with pytest.raises(UnreadableReply):
        protocol.parse_callback(b"--b\r\n")
