"""A day of the statistics: read in every dress or refused, and within bounds of size and time."""

from __future__ import annotations

import io
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from django_voicepassword.client import Client
from django_voicepassword.exceptions import ProviderRefused, Unreachable, UnreadableReply
from django_voicepassword.provider import daily_stream
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.protocol import Utf8Decoder
from tests.daily_row import USUAL_ROW
from tests.test_client import DAY, KEY, Wire

ROWS = [{**USUAL_ROW, "id": str(number)} for number in range(3)]
MARK = b"\xef\xbb\xbf"


class Response:
    """The part of a ``requests.Response`` that ``DailyReport`` uses."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def close(self) -> None:
        pass


class Pieces:
    """A body that arrives in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.given = 0

    def read1(self, size: int) -> bytes:
        piece = self._rest or next(self._pieces, b"")
        piece, self._rest = piece[:size], piece[size:]
        self.given += len(piece)
        return piece


def report_of(raw: Any) -> DailyReport:
    raw = io.BytesIO(raw) if isinstance(raw, bytes) else raw
    return DailyReport(Response(raw), KEY)  # type: ignore[arg-type]


def ids(raw: Any) -> list[str]:
    """The ids of the rows, which both ways of reading give."""
    return [row.id for row in report_of(raw).lean()]


def encode(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "document",
    [
        {"result": "ok", "rows": "3", "data": ROWS},
        {"result": "ok", "rows": "3", "Data": ROWS},
        {" Result ": " OK ", "ROWS": 3, " data\t": ROWS},
        {"result": "ok", "rows": "3", "data": dict(enumerate(ROWS))},
        {"result": "ok", "rows": "3", "DATA": dict(enumerate(ROWS, 1))},
        {"data": dict(enumerate(ROWS)), "rows": 3, "result": "ok"},
        {"Data": ROWS, "warnings": [], "result": "ok", "more": {"rows": [1, [2]]}, "Rows": "3"},
        {"more": {"data": [1]}, "result": "ok", "data": ROWS, "rows": "3"},
        {"result": "ok", "data": [{key.upper(): row[key] for key in row} for row in ROWS]},
        {"result": "ok", "data": [{**row, "tags": ["]"]} for row in ROWS], "rows": "3"},
        {"more": "x" * 60_000, "more2": "x" * 60_000, "result": "ok", "data": ROWS, "rows": "3"},
    ],
)
@pytest.mark.parametrize("mark", [b"", MARK, b"\n" + MARK + b" "])
def test_a_day_is_read_in_every_dress(document: dict[str, Any], mark: bytes) -> None:
    body = mark + encode(document)
    assert ids(body) == ["0", "1", "2"]
    report = report_of(body)
    assert [row.id for row in report] == ["0", "1", "2"]
    announces = any(key.strip().casefold() == "rows" for key in document)
    assert (report.rows, report.read) == (3 if announces else None, 3)


def test_a_single_row_may_stand_alone() -> None:
    for row in (ROWS[0], {**ROWS[0], "more": {"a": [1, {"b": 2}]}}):
        assert ids(encode({"result": "ok", "rows": "1", "data": row})) == ["0"]
    assert ids(encode({"result": "ok", "rows": "1", "data": {"0": ROWS[0]}})) == ["0"]


@pytest.mark.parametrize(
    "document",
    [
        {"result": "ok", "rows": "0"},
        {"result": "ok", "rows": 0, "data": None},
        {"result": "ok", "rows": "0", "data": ""},
        {"result": "ok", "data": []},
        {"result": "ok", "data": {}},
        {"result": "ok", "data": None},
    ],
)
def test_a_day_without_calls_is_empty(document: dict[str, Any]) -> None:
    assert ids(encode(document)) == []


@pytest.mark.parametrize(
    "document",
    [
        {"result": "ok"},
        {"result": "ok", "items": ROWS},
        {"result": "ok", "rows": "2"},
        {"result": "ok", "rows": "1 000", "data": []},
        {"result": "ok", "rows": "2", "data": None},
        {"result": "ok", "rows": "two", "data": []},
        {"result": "ok", "rows": "2 calls", "data": None},
        {"result": "ok", "rows": "2", "data": "see below"},
        {"result": "ok", "data": "[]"},
        {"result": "ok", "rows": "2", "data": {}},
        {"result": "ok", "rows": "2", "data": [{"call": 1}, {"call": 2}]},
        {"result": "ok", "data": [{"call": 1}]},
        {"result": "ok", "data": {"rows": ROWS}},
        {"result": "ok", "data": {"count": 3, "rows": ROWS}},
        {"response": {"result": "ok", "rows": "3", "data": ROWS}},
        ROWS,
    ],
)
def test_a_day_of_which_nothing_is_read_is_refused(document: Any) -> None:
    with pytest.raises(UnreadableReply):
        ids(encode(document))


def test_a_refusal_is_read_in_every_dress() -> None:
    with pytest.raises(ProviderRefused, match="Date_is_Empty"):
        ids(MARK + encode({"Result": "Error", " Error_Code": "Date_is_Empty"}))


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_a_day_in_windows_1251_is_read_wherever_it_is_cut(size: int) -> None:
    body = encode({"result": "ok", "rows": "3", "data": ROWS}).decode().encode("cp1251")
    pieces = Pieces(body[at : at + size] for at in range(0, len(body), size))
    assert {(row.outcome.raw_state, row.outcome.state) for row in report_of(pieces).lean()} == {
        ("Успешно", "answered")
    }


def test_windows_1251_may_begin_after_the_first_chunk() -> None:
    rows = [{**row, "state": "BUSY"} for row in ROWS * 1000] + ROWS[:1]
    body = encode({"result": "ok", "data": rows}).decode().encode("cp1251")
    assert len(body) > 4 * 65536
    assert list(report_of(body).lean())[-1].outcome.state == "answered"


def decode(body: bytes, size: int) -> str:
    """Decode a document that is cut into pieces of this size."""
    decoder = Utf8Decoder()
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return (b"".join(map(decoder.decode, pieces)) + decoder.decode(b"", is_last=True)).decode()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_text_is_decoded_alike_wherever_it_is_cut(size: int) -> None:
    for text in ("Успешно, €, 𝄞 and ё", "ok", ""):
        assert decode(text.encode(), size) == text
        assert decode(MARK + text.encode(), max(size, 3)) == text
    assert decode("Успешно, № and ё".encode("cp1251"), size) == "Успешно, № and ё"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_damaged_byte_in_utf_8_is_one_damaged_character(size: int) -> None:
    body = "Успешно".encode() + b"\xff" + "Занято".encode()
    assert decode(body, size) == "Успешно\ufffdЗанято"
    assert decode("Успешно".encode()[:-1], size) == "Успешн\ufffd"


def endless(row: bytes) -> Pieces:
    return Pieces(itertools.chain([b'{"result": "ok", "data": ['], itertools.repeat(row)))


def test_an_endless_day_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert daily_stream.MAX_DAY_BYTES == 2**30
    monkeypatch.setattr(daily_stream, "MAX_DAY_BYTES", 300_000)
    raw = endless(encode(ROWS[0]) + b",")
    with pytest.raises(UnreadableReply, match="longer than 300000 bytes"):
        ids(raw)
    assert raw.given < 500_000


@pytest.mark.parametrize("piece", [b" ", b"[],", b'"a",', b"1,"])
def test_endless_bytes_without_a_row_end(piece: bytes) -> None:
    for start in (b'{"data": {"id": [', b'{"result": "ok", "data": [{"id": ["', b'{"more": [', b""):
        raw = Pieces(itertools.chain([start], itertools.repeat(piece * 1000)))
        with pytest.raises(UnreadableReply):
            ids(raw)
        assert raw.given < 2_000_000


def test_a_row_of_many_fields_has_a_bound() -> None:
    fields = (b'"%d": 1,' % number for number in itertools.count())
    raw = Pieces(itertools.chain([b'{"result": "ok", "data": [{'], fields))
    with pytest.raises(UnreadableReply, match="1048576 bytes without a row"):
        ids(raw)


@pytest.mark.parametrize("escape", ["x", '\\"', "\\\\", "я"])
def test_a_string_has_at_most_64_kib(escape: str) -> None:
    body = encode({"result": "ok", "rows": "3", "data": ROWS}).decode()
    at = body.index('{"id": "1"') + 1
    unit = len(escape.encode())
    for size, is_read in ((65536 // unit, True), (65536 // unit + 1, False)):
        long = f'{body[:at]}"note": "{escape * size}", {body[at:]}'.encode()
        if is_read:
            assert ids(long) == ["0", "1", "2"]
        else:
            with pytest.raises(UnreadableReply, match="string of more than 65536 bytes"):
                ids(long)


def test_a_huge_string_takes_no_time() -> None:
    raw = Pieces(itertools.chain([b'{"result": "ok", "data": [{"id": "'], itertools.repeat(b"x")))
    began = time.monotonic()
    with pytest.raises(UnreadableReply, match="string"):
        ids(raw)
    assert raw.given < 200_000
    assert time.monotonic() - began < 5


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes, bytes], Wire]]:
    """``dripping(start, piece)``: a server that sends ``piece`` again and again, without an end."""
    servers: list[Wire] = []

    def serve(start: bytes, piece: bytes) -> Wire:
        def drip(connection: socket.socket, number: int) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + start)
            while True:
                connection.sendall(piece)
                time.sleep(0.02)

        servers.append(Wire(drip))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.mark.parametrize("piece", [encode(ROWS[0]) + b",", b" "])
def test_a_day_that_drips_has_a_bound_in_time(
    dripping: Callable[[bytes, bytes], Wire], monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    assert daily_stream.MAX_DAY_SECONDS == 600
    monkeypatch.setattr(daily_stream, "MAX_DAY_SECONDS", 0.3)
    server = dripping(b'{"result": "ok", "data": [', piece)
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"longer than 0\.3 seconds"):
        list(Client(KEY, base_url=server.url, timeout=(10, 10)).daily(DAY))
    assert time.monotonic() - began < 9
