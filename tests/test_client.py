"""The client against answers that no well-behaved provider gives: real sockets, no Django."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from django_voicepassword.client import MAX_ANSWER_BYTES, Client, ConfigurationError
from django_voicepassword.exceptions import (
    ProviderError,
    ProviderRefused,
    Unreachable,
    UnreadableReply,
)
from django_voicepassword.provider.protocol import InvalidRequest
from tests.raw_http import read_request
from tests.rows import USUAL

KEY = "the-secret-key"
OK = {"result": "ok", "id": "1", "number": "79990000001", "price": "0.35", "code": "1234"}

Answer = Callable[[socket.socket, int], bool]


class Wire:
    """A server of raw bytes. ``answer(connection, n)`` answers the n-th request; True keeps the
    connection.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/api/"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := read_request(connection):
                self.requests.append(request)
                try:
                    if not self.answer(connection, len(self.requests)):
                        return
                except OSError:
                    return

    def close(self) -> None:
        self._listener.close()


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    """``wire(bytes)`` or ``wire(answer)`` starts a server."""
    started: list[Wire] = []

    def start(answer: bytes | Answer, keep: bool = False) -> Wire:
        if isinstance(answer, bytes):
            data = answer

            def constant(connection: socket.socket, number: int) -> bool:
                connection.sendall(data)
                return keep

            answer = constant
        started.append(Wire(answer))
        return started[-1]

    yield start
    for one in started:
        one.close()


def client(server: Wire, **options: Any) -> Client:
    return Client(KEY, base_url=server.url, timeout=(1, 1), **options)


def call(server: Wire, **options: Any) -> Any:
    return client(server, **options).flash_call("79990000001", code="1234")


def test_what_goes_over_the_wire(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    reply = call(server)
    assert (reply.id, reply.price, reply.code) == ("1", Decimal("0.35"), "1234")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/send/ HTTP/1.1\r\n")
    assert b"Authorization: the-secret-key" in head
    assert json.loads(body) == {"number": "79990000001", "flashcall": {"code": "1234"}}
    call(server, auth="body")
    head, _, body = server.requests[1].partition(b"\r\n\r\n")
    assert b"Authorization" not in head
    assert json.loads(body)["security"] == {"apiKey": KEY}


def test_connections_are_kept_and_each_thread_has_its_own(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()), keep=True)
    ours = client(server)
    for _ in range(5):
        ours.flash_call("79990000001", code="1234")
    assert (len(server.requests), server.connections) == (5, 1)
    thread = threading.Thread(target=ours.flash_call, args=("79990000001", "1234"))
    thread.start()
    thread.join()
    assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_shares_no_connection(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()), keep=True)
    ours = client(server)
    ours.flash_call("79990000001", code="1234")
    child = os.fork()
    if child == 0:
        try:
            ours.flash_call("79990000001", code="1234")
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    ours.flash_call("79990000001", code="1234")
    assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_with_the_key(wire: Callable[..., Wire], status: int) -> None:
    other = wire(http(json.dumps(OK).encode()))
    server = wire(http(b"", f"{status} Elsewhere", f"Location: {other.url}send/"))
    with pytest.raises(UnreadableReply, match=str(status)) as caught:
        call(server)
    assert caught.value.may_have_rung
    assert (len(server.requests), other.requests) == (1, [])


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_server_error_may_have_rung_and_is_not_tried_again(
    wire: Callable[..., Wire], status: int
) -> None:
    server = wire(http(json.dumps(OK).encode(), f"{status} Oops"))
    with pytest.raises(Unreachable, match=str(status)) as caught:
        call(server)
    assert caught.value.may_have_rung
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"ok"',
        b"<html></html>",
        b"{",
        b'{"result": "ok"',
        b'{"result": "maybe"}',
        b"{}",
        b"[" * 5000,
        b"\xff\xfe\x00\x00",
        gzip.compress(json.dumps(OK).encode()),
        b"x" * (MAX_ANSWER_BYTES + 1),
    ],
)
def test_an_unreadable_answer_may_have_rung(wire: Callable[..., Wire], body: bytes) -> None:
    server = wire(http(body))
    with pytest.raises(UnreadableReply) as caught:
        call(server)
    assert caught.value.may_have_rung
    assert len(server.requests) == 1
    for secret in (KEY, "1234", "79990000001"):
        assert secret not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_an_error_is_read_whatever_its_status(wire: Callable[..., Wire]) -> None:
    server = wire(
        http(b'{"result": "error", "error_code": "not_enough_money"}', "402 Payment Required")
    )
    with pytest.raises(ProviderRefused) as caught:
        call(server)
    assert caught.value.error_code == "not_enough_money"
    assert not caught.value.may_have_rung


def test_an_answer_cut_at_any_byte_is_never_a_success(wire: Callable[..., Wire]) -> None:
    whole = http(json.dumps(OK).encode())

    def cut(connection: socket.socket, number: int) -> bool:
        connection.sendall(whole[: number - 1])
        return False

    server = wire(cut)
    for _ in range(len(whole)):
        with pytest.raises((Unreachable, UnreadableReply)) as caught:
            call(server)
        assert caught.value.may_have_rung
    assert len(server.requests) == len(whole)
    assert call(server).id == "1"


def test_a_drip_is_bounded(wire: Callable[..., Wire]) -> None:
    def drip(connection: socket.socket, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.2)

    server = wire(drip)
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        call(server)
    assert caught.value.may_have_rung
    assert time.monotonic() - began < 4


def test_silence_is_a_timeout_that_may_have_rung(wire: Callable[..., Wire]) -> None:
    def silent(connection: socket.socket, number: int) -> bool:
        time.sleep(3)
        return False

    with pytest.raises(Unreachable, match="in time") as caught:
        call(wire(silent))
    assert caught.value.may_have_rung


def test_a_connection_that_died_while_kept_is_made_anew(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    ours = client(server)
    for _ in range(3):
        # The server hangs up after each answer and did not say so.
        assert ours.flash_call("79990000001", code="1234").id == "1"
        time.sleep(0.1)
    assert (len(server.requests), server.connections) == (3, 3)


def test_plain_text_on_a_tls_address_has_not_rung(wire: Callable[..., Wire]) -> None:
    server = wire(b"no TLS here")
    secure = Client(KEY, base_url=server.url.replace("http:", "https:"), timeout=(1, 1))
    with pytest.raises(Unreachable) as caught:
        secure.balance()
    assert server.requests == [] or KEY.encode() not in server.requests[0]
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://name.invalid/"],
)
def test_no_connection_has_not_rung(address: str) -> None:
    with pytest.raises(Unreachable) as caught:
        Client(KEY, base_url=address, timeout=(2, 1)).balance()
    assert not caught.value.may_have_rung
    assert caught.value.__cause__ is None


def test_neither_netrc_nor_proxy_variable_sees_the_key(
    wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    proxy = wire(http(json.dumps(OK).encode()))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = wire(http(json.dumps(OK).encode()))
    call(server)
    assert proxy.requests == []
    assert b"Authorization: the-secret-key\r\n" in server.requests[0]


def test_a_session_of_the_project_is_used(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    with requests.Session() as session:
        session.headers["X-Through"] = "here"
        call(server, session=session)
    assert b"X-Through: here" in server.requests[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "with\nnewline"}, "api_key"),
        ({"api_key": " spaced"}, "api_key"),
        ({"api_key": "ключ"}, "api_key"),
        ({"base_url": "http://vp.voicepassword.ru/api/"}, "https"),
        ({"base_url": "http://localhost.example.org/"}, "https"),
        ({"base_url": "ftp://vp.voicepassword.ru/"}, "base_url"),
        ({"base_url": "https://user:pass@vp.voicepassword.ru/"}, "base_url"),
        ({"base_url": "vp.voicepassword.ru"}, "base_url"),
        ({"base_url": "https://vp.voicepassword.ru/?a=b"}, "base_url"),
        ({"auth": "both"}, "auth"),
        ({"timeout": 5}, "timeout"),
        ({"timeout": (0, 5)}, "timeout"),
        ({"timeout": (float("inf"), 5)}, "timeout"),
    ],
)
def test_a_client_that_cannot_be_made_names_the_argument(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        Client(**{"api_key": KEY, **given})
    assert "pass" not in str(caught.value)
    assert str(given.get("api_key") or "-") not in str(caught.value).replace("api_key", "")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("flash_call", {"number": "79990000001", "code": ""}),
        ("flash_call", {"number": "79990000001", "code": "12345"}),
        ("flash_call", {"number": "79990000001", "code": "12a4"}),
        ("flash_call", {"number": "79990000001", "code": "１２３４"}),
        ("flash_call", {"number": "79990000001", "code": 1234}),
        ("flash_call", {"number": "79990000001", "code": "1234", "capacity": 4}),
        ("flash_call", {"number": "79990000001", "capacity": 0}),
        ("flash_call", {"number": ""}),
        ("flash_call", {"number": "me"}),
        ("voice_call", {"number": "79990000001", "code": "12345"}),
        ("voice_call", {"number": "79990000001", "ani": "me"}),
        ("voice_call", {"number": "79990000001", "code": "1234", "ani": ""}),
        ("sms", {"request_id": ""}),
        ("sms", {"request_id": None}),
        ("state", {"request_id": ""}),
        ("daily", {"date": "01.01.2026"}),
    ],
)
def test_what_the_provider_would_misread_is_never_sent(
    wire: Callable[..., Wire], method: str, arguments: dict[str, Any]
) -> None:
    server = wire(http(json.dumps(OK).encode()))
    with pytest.raises(InvalidRequest) as caught:
        getattr(client(server), method)(**arguments)
    assert server.requests == []
    assert "79990000001" not in str(caught.value)


DAY = datetime.date(2020, 9, 11)
ROW = {**USUAL, "id": "7"}


def day(**values: Any) -> bytes:
    return http(
        json.dumps(
            {"result": "ok", "rows": "1", "data": [ROW], **values}, ensure_ascii=False
        ).encode()
    )


def test_a_day_is_streamed_and_its_bad_rows_are_counted(wire: Callable[..., Wire]) -> None:
    rows = [ROW, "text", None, {}, [1], {**ROW, "id": 8, "price": 0.35}]
    daily = client(wire(day(rows="7", data=rows))).daily(DAY)
    reports = list(daily)
    assert [report.id for report in reports] == ["7", "8"]
    assert replace(reports[1], id="7") == reports[0]
    assert (reports[0].state, reports[0].duration, reports[0].price) == (
        "answered",
        4,
        Decimal("0.35"),
    )
    assert (daily.rows, daily.read, daily.unreadable) == (7, 2, 4)
    assert len(daily.unreadable_rows) == 4


def test_a_day_of_one_row_may_be_an_object(wire: Callable[..., Wire]) -> None:
    assert [report.id for report in client(wire(day(data=ROW))).daily(DAY)] == ["7"]


def test_a_day_without_calls(wire: Callable[..., Wire]) -> None:
    assert list(client(wire(day(data=[], rows=0))).daily(DAY)) == []


def test_a_day_that_is_refused(wire: Callable[..., Wire]) -> None:
    server = wire(http(b'{"result": "error", "error_code": "Date_is_Empty"}'))
    with pytest.raises(ProviderRefused, match="Date_is_Empty"):
        list(client(server).daily(DAY))
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["date"] == "11.09.2020"


@pytest.mark.parametrize("cut", [10, 60, 150, -3])
def test_a_day_that_breaks_off_is_an_error_after_its_rows(
    wire: Callable[..., Wire], cut: int
) -> None:
    whole = day(data=[{**ROW, "id": str(number)} for number in range(50)])
    body = whole.partition(b"\r\n\r\n")[2]
    with pytest.raises(ProviderError) as caught:
        list(client(wire(http(body[:cut], length=len(body)))).daily(DAY))
    assert not isinstance(caught.value, ProviderRefused)
    with pytest.raises(UnreadableReply):
        list(client(wire(http(body[:cut]))).daily(DAY))
