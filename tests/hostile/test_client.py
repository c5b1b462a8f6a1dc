"""Answers that are cut, deeply nested, huge or endless: the client raises one of its own errors.

Time and memory stay bounded. ``tests/test_client.py`` shows it for one call; here it is shown for
every kind of request, and for the rows of a day.
"""

from __future__ import annotations

import io
import json
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword.client import Client
from django_voicepassword.exceptions import (
    ProviderError,
    ProviderRefused,
    Unreachable,
    UnreadableReply,
)
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.protocol import JsonGuard
from tests import python_programs
from tests.hostile import strategies as hostile
from tests.test_client import DAY, KEY, OK, ROW, Wire, client, day, http

ANSWERS: dict[str, dict[str, Any]] = {
    "balance": {"result": "ok", "balance": "999.00", "currency": "Rub"},
    "state": {"result": "ok", "data": ROW},
    "sms": OK,
}
ASK: dict[str, Callable[[Any], Any]] = {
    "balance": lambda ours: ours.balance(),
    "state": lambda ours: ours.state("7"),
    "sms": lambda ours: ours.sms("7"),
    "daily": lambda ours: list(ours.daily(DAY)),
}


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Wire]]:
    """``serve(answer)`` starts a server; ``answer``: bytes for every request, or a function."""
    started: list[Wire] = []

    def start(answer: Any) -> Wire:
        def constant(connection: socket.socket, number: int) -> bool:
            connection.sendall(answer)
            return False

        started.append(Wire(constant if isinstance(answer, bytes) else answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


class Response:
    """The part of a ``requests.Response`` that ``DailyReport`` uses."""

    def __init__(self, body: bytes) -> None:
        self.raw = io.BytesIO(body)

    def close(self) -> None:
        self.raw.close()


def read_day(body: bytes, lean: bool = False) -> list[Any]:
    report = DailyReport(Response(body), KEY)  # type: ignore[arg-type]
    return list(report.lean() if lean else report)


def ids_before_the_error(rows: Iterator[Any]) -> list[str]:
    ids = []
    try:
        for row in rows:
            ids.append(row.id)
    except UnreadableReply:
        return ids
    raise AssertionError("a truncated report was read to its end")


def day_body(rows: int = 3, **values: Any) -> bytes:
    data = [{**ROW, "id": str(number)} for number in range(rows)]
    return json.dumps(
        {"result": "ok", "data": data, "rows": str(rows), **values}, ensure_ascii=False
    ).encode()


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_cut_at_any_byte_is_an_error(serve: Callable[[Any], Wire], kind: str) -> None:
    complete = http(json.dumps(ANSWERS[kind]).encode())

    def cut(connection: socket.socket, number: int) -> bool:
        connection.sendall(complete[: number - 1])
        return False

    ours = client(serve(cut))
    for _ in range(len(complete)):
        with pytest.raises((Unreachable, UnreadableReply)):
            ASK[kind](ours)
    assert ASK[kind](ours)


@pytest.mark.parametrize("lean", [True, False])
def test_a_day_cut_at_any_byte_is_an_error_after_whole_rows(lean: bool) -> None:
    complete = day_body()
    for length in range(len(complete)):
        report = DailyReport(Response(complete[:length]), KEY)  # type: ignore[arg-type]
        ids = ids_before_the_error(report.lean() if lean else iter(report))
        assert ids == ["0", "1", "2"][: len(ids)]
    assert len(read_day(complete, lean)) == 3


@pytest.mark.parametrize("kind", ASK)
@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><html><body>502</body></html>",
        b"[" * 60000,
        b'{"a":' * 10000 + b"1" + b"}" * 10000,
        b'{"result": "ok", "data": {"id": "7", "state": ',
        b'{"result": "ok", "data": [[[[[[[[[[',
        b"\x00" * 1000,
        b"\xff\xfe" + '{"result": "ok"}'.encode("utf-16-le"),
        b'{"result": "ok", "balance": "1e9999999", "id": NaN}',
        b'{"result": 1e99999999999999999999}',
    ],
)
def test_an_invalid_answer_is_an_error(
    serve: Callable[[Any], Wire], kind: str, body: bytes
) -> None:
    with pytest.raises(UnreadableReply) as caught:
        ASK[kind](client(serve(http(body))))
    assert KEY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("piece", [b" ", b"[", b'{"a":', b"9", b"x"])
def test_ten_megabytes_are_not_read(serve: Callable[[Any], Wire], kind: str, piece: bytes) -> None:
    with pytest.raises(UnreadableReply, match="longer than"):
        ASK[kind](client(serve(http(piece * (10_000_000 // len(piece))))))


def test_long_texts_in_a_day_are_cut(serve: Callable[[Any], Wire]) -> None:
    server = serve(day(data=[{**ROW, "note": "x" * 60_000, "service": "y" * 60_000}, ROW]))
    reports = ASK["daily"](client(server))
    assert [(report.id, len(report.service)) for report in reports] == [("7", 64), ("7", 14)]
    assert len(json.dumps(dict(reports[0].raw))) < 1000


@pytest.mark.parametrize("kind", ASK)
@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK" + b"x" * 100, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100]
)
def test_a_head_that_drips_is_bounded(serve: Callable[[Any], Wire], kind: str, head: bytes) -> None:
    def drip(connection: socket.socket, number: int) -> bool:
        for byte in head:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
        return False

    ours = Client(KEY, base_url=serve(drip).url, timeout=(10, 0.3))
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        ASK[kind](ours)
    assert caught.value.may_have_rung
    # The head would take more than ten seconds.
    assert time.monotonic() - began < 5


def test_no_bytes_for_an_answer_do_harm(serve: Callable[[Any], Wire]) -> None:
    """Randomly damaged heads and bodies: status lines, lengths, chunks."""
    chance = random.Random(0)
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n"
        + b" " * 16
        + b"\r\n0\r\n\r\n"
    )
    answers = [http(json.dumps(answer).encode()) for answer in ANSWERS.values()] + [chunked, day()]

    def spoil(connection: socket.socket, number: int) -> bool:
        answer = bytearray(chance.choice(answers))
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(min(len(answer), 80))
            odd = [
                b"",
                b"\x00",
                b"\r\n",
                b":",
                b"-1",
                b"9" * 30,
                b"\xff",
                b" ",
                chance.randbytes(3),
            ]
            answer[place : place + chance.randrange(4)] = chance.choice(odd)
        connection.sendall(bytes(answer))
        connection.shutdown(socket.SHUT_WR)
        return False

    ours = client(serve(spoil))
    for _ in range(hostile.EXAMPLES):
        for ask in ASK.values():
            with suppress(ProviderError):
                ask(ours)


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "-" + "9" * 100_000,
        "1e99999999999999999999",
        "[" * 60_000,
        '{"a":' * 60_000,
        "[1," * 10**6,
    ],
)
@pytest.mark.processes
def test_a_day_of_odd_numbers_and_deep_brackets_kills_no_worker(tmp_path: Path, value: str) -> None:
    """In a process of its own: an integer of 5,000 digits crashes ijson's C code with it."""
    row = json.dumps(ROW)
    bodies = {
        "row": f'{{"result": "ok", "data": [{row}, {value}]}}',
        "value": f'{{"result": "ok", "data": [{row}, {{"id": {value}}}]}}',
        "after": f'{{"result": "ok", "data": [{row}], "more": {value}}}',
        "before": f'{{"more": {value}, "result": "ok", "data": [{row}]}}',
    }
    for place, body in bodies.items():
        (tmp_path / place).write_text(body)
    program = """
import resource, sys
from pathlib import Path
from tests.hostile.test_client import read_day, UnreadableReply
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for file in map(Path, sys.argv[1:]):
    try:
        read_day(file.read_bytes())
    except UnreadableReply:
        print(file.name, "is unreadable", flush=True)
"""
    done = python_programs.run(["-c", program, *(str(tmp_path / place) for place in bodies)])
    expected = [f"{place} is unreadable" for place in bodies]
    assert (done.returncode, done.stdout.splitlines()) == (0, expected), done.stderr[-500:]


@hostile.thorough
@given(hostile.values, st.booleans(), st.booleans())
def test_a_day_is_read_or_refused(value: Any, ascii: bool, lean: bool) -> None:
    for document in (
        {"result": "ok", "data": value},
        {"result": "ok", "data": [ROW, value, ROW], "rows": value},
        value,
    ):
        text = json.dumps(document, ensure_ascii=ascii, default=str)
        body = text.encode("utf-8", "surrogatepass")
        with suppress(UnreadableReply, ProviderRefused):
            read_day(body, lean)


@hostile.thorough
@given(hostile.values, st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_the_guard_lets_json_pass_however_it_is_cut(value: Any, cuts: list[int]) -> None:
    # The guard refuses so many digits inside of a text as well.
    body = re.sub(rb"\d{1000,}", b"1", json.dumps([value, '"]}\\', value], default=str).encode())
    guard = JsonGuard()
    while body:
        size = cuts[len(body) % len(cuts)]
        guard.look(body[:size])
        body = body[size:]
    # It has seen every bracket closed, so that the full depth is allowed again.
    guard.look(b"[" * 50)
    with pytest.raises(UnreadableReply):
        guard.look(b"[")
