"""The client against a misbehaving server on a real socket: errors say whether it may have rung.

Neither Django nor a database is used.
"""

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
from pathlib import Path
from typing import Any

import pytest
import requests

from django_voicepassword.client import MAX_ANSWER_BYTES, Client, ConfigurationError
from django_voicepassword.exceptions import (
    NumberRefused,
    ProviderError,
    ProviderRefused,
    Unreachable,
    UnreadableReply,
)
from django_voicepassword.provider.protocol import InvalidRequest
from tests.daily_row import USUAL_ROW
from tests.raw_http import read_request
from tests.waiting import until

KEY = "the-secret-key"
DAY = datetime.date(2020, 9, 11)
OK = {"result": "ok", "id": "1", "number": "79990000001", "price": "0.35", "code": "1234"}

Responder = Callable[[socket.socket, int], bool]


class Wire:
    """A server that answers with raw bytes.

    ``respond(connection, number)`` answers the request with this number, counted from 1. It
    returns True to keep the connection open.
    """

    def __init__(self, respond: Responder) -> None:
        self.respond = respond
        self.requests: list[bytes] = []
        self.connections = self.closed = 0
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
            threading.Thread(target=self._serve_and_count, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := read_request(connection):
                self.requests.append(request)
                try:
                    if not self.respond(connection, len(self.requests)):
                        return
                except OSError:
                    return

    def _serve_and_count(self, connection: socket.socket) -> None:
        self._serve(connection)
        self.closed += 1

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
    """``wire(data)`` or ``wire(respond)`` starts a server."""
    started: list[Wire] = []

    def start(respond: bytes | Responder, keep: bool = False) -> Wire:
        if isinstance(respond, bytes):
            data = respond

            def constant(connection: socket.socket, number: int) -> bool:
                connection.sendall(data)
                return keep

            respond = constant
        started.append(Wire(respond))
        return started[-1]

    yield start
    for server in started:
        server.close()


def client(server: Wire, read_timeout: float = 10, **options: Any) -> Client:
    """A client that waits longer than a busy machine stops a thread for."""
    return Client(KEY, base_url=server.url, timeout=(10, read_timeout), **options)


def call(server: Wire, **options: Any) -> Any:
    """Send a flash call to the server."""
    return client(server, **options).flash_call("79990000001", code="1234")


def test_a_request_has_the_key_in_its_header_or_in_its_body(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    reply = call(server)
    assert (reply.id, reply.price, reply.code) == ("1", Decimal("0.35"), "1234")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/send/ HTTP/1.1\r\n")
    assert b"Authorization: the-secret-key" in head
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert b"\r\nCharset: utf-8\r\n" in head
    assert json.loads(body) == {"number": "79990000001", "flashcall": {"code": "1234"}}
    call(server, auth="body")
    head, _, body = server.requests[1].partition(b"\r\n\r\n")
    assert b"Authorization" not in head
    assert json.loads(body)["security"] == {"apiKey": KEY}


def test_connections_are_reused_and_each_thread_has_its_own(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()), keep=True)
    shared = client(server)
    for _ in range(5):
        shared.flash_call("79990000001", code="1234")
    assert (len(server.requests), server.connections) == (5, 1)
    thread = threading.Thread(target=shared.flash_call, args=("79990000001", "1234"))
    thread.start()
    thread.join()
    assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.processes
def test_a_forked_process_opens_its_own_connection(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()), keep=True)
    shared = client(server)
    shared.flash_call("79990000001", code="1234")
    child = os.fork()
    if child == 0:
        try:
            shared.flash_call("79990000001", code="1234")
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    shared.flash_call("79990000001", code="1234")
    assert (len(server.requests), server.connections) == (3, 2)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(wire: Callable[..., Wire], status: int) -> None:
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


ASK: dict[str, Callable[[Client], Any]] = {
    "call": lambda ours: ours.flash_call("79990000001", code="4821"),
    "sms": lambda ours: ours.sms("7"),
    "balance": lambda ours: ours.balance(),
    "state": lambda ours: ours.state("7"),
    "daily": lambda ours: list(ours.daily(DAY)),
}


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "500 Oops", "502 Oops"])
@pytest.mark.parametrize("kind", ASK)
def test_an_error_object_is_a_refusal_whatever_the_status(
    wire: Callable[..., Wire], kind: str, status: str
) -> None:
    body = json.dumps({"Result": "Error", "error_code": "number_not_valid"}).encode()
    with pytest.raises(NumberRefused, match="number_not_valid"):
        ASK[kind](client(wire(http(body, status))))
    words = json.dumps({"result": "error", "error_code": f"bad {KEY} 79990000001 4821"}).encode()
    with pytest.raises(ProviderRefused) as caught:
        ASK[kind](client(wire(http(words, status))))
    hidden = [KEY, "7999000"] + (["4821"] if kind == "call" else [])
    assert not [secret for secret in hidden if secret in str(caught.value)]


@pytest.mark.parametrize(
    "body", [b"", b"<html>502</html>", b"{}", b'{"result": "error"', b" " * (MAX_ANSWER_BYTES + 1)]
)
@pytest.mark.parametrize("kind", ASK)
def test_a_server_error_that_says_nothing_is_no_answer(
    wire: Callable[..., Wire], kind: str, body: bytes
) -> None:
    with pytest.raises(Unreachable, match="500") as caught:
        ASK[kind](client(wire(http(body, "500 Oops"))))
    assert caught.value.may_have_rung


def test_a_reply_in_windows_1251_keeps_its_id(wire: Callable[..., Wire]) -> None:
    """The provider is Russian, and its reply to an SMS has a Russian text."""
    reply = {"result": "ok", "id": "1234", "price": "3.30", " message": "Ваш код: 4821"}
    body = json.dumps(reply, ensure_ascii=False)
    for charset in ("cp1251", "utf-8", "utf-8-sig"):
        sent = client(wire(http(body.encode(charset)))).sms("7")
        assert (sent.id, sent.price, sent.code) == ("1234", Decimal("3.30"), "4821")


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
        gzip.compress(json.dumps(OK).encode(), mtime=0),
        b"x" * (MAX_ANSWER_BYTES + 1),
    ],
)
def test_an_unreadable_response_may_have_rung(wire: Callable[..., Wire], body: bytes) -> None:
    server = wire(http(body))
    with pytest.raises(UnreadableReply) as caught:
        call(server)
    assert caught.value.may_have_rung
    assert len(server.requests) == 1
    for secret in (KEY, "1234", "79990000001"):
        assert secret not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_refusal_is_read_whatever_the_http_status(wire: Callable[..., Wire]) -> None:
    server = wire(
        http(b'{"result": "error", "error_code": "not_enough_money"}', "402 Payment Required")
    )
    with pytest.raises(ProviderRefused) as caught:
        call(server)
    assert caught.value.error_code == "not_enough_money"
    assert not caught.value.may_have_rung


def test_a_response_cut_at_any_byte_is_never_a_success(wire: Callable[..., Wire]) -> None:
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


def test_a_response_that_drips_in_times_out(wire: Callable[..., Wire]) -> None:
    def drip(connection: socket.socket, number: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.2)

    server = wire(drip)
    started = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        call(server, read_timeout=1)
    assert caught.value.may_have_rung
    # The body alone would take half an hour.
    assert time.monotonic() - started < 20


def test_a_read_timeout_may_have_rung(wire: Callable[..., Wire]) -> None:
    def silent(connection: socket.socket, number: int) -> bool:
        time.sleep(3)
        return False

    with pytest.raises(Unreachable, match="in time") as caught:
        call(wire(silent), read_timeout=1)
    assert caught.value.may_have_rung


def test_a_kept_connection_that_died_is_replaced(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    shared = client(server)
    for _ in range(3):
        # The server closes the connection after each answer, without "Connection: close".
        assert shared.flash_call("79990000001", code="1234").id == "1"
        until(lambda: server.closed == server.connections, what="the end of the connection")
    assert (len(server.requests), server.connections) == (3, 3)


def test_no_key_is_sent_to_a_server_without_tls(wire: Callable[..., Wire]) -> None:
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
def test_a_call_without_a_connection_has_not_rung(address: str) -> None:
    with pytest.raises(Unreachable) as caught:
        Client(KEY, base_url=address, timeout=(2, 1)).balance()
    assert not caught.value.may_have_rung
    assert caught.value.__cause__ is None


def test_netrc_and_proxy_variables_are_ignored(
    wire: Callable[..., Wire], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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


def test_requests_of_one_client_differ_in_their_body_alone(wire: Callable[..., Wire]) -> None:
    answer = http(json.dumps(OK).encode(), "200 OK", "Set-Cookie: sticky=1; Path=/")
    server = wire(answer, keep=True)
    ours = client(server)
    urls = [None, "https://example.org/auth/callback/1/"]
    for url in urls:
        ours.flash_call("79990000001", code="1234", callback_url=url)
    (first, body), (second, longer) = (one.split(b"\r\n\r\n") for one in server.requests)
    assert ["callback_url" in json.loads(one) for one in (body, longer)] == [False, True]
    assert b"Authorization: the-secret-key" in first
    length = b"Content-Length: %d"
    assert second == first.replace(length % len(body), length % len(longer))
    assert b"ookie" not in second


def test_a_session_passed_by_the_project_is_used(wire: Callable[..., Wire]) -> None:
    server = wire(http(json.dumps(OK).encode()))
    with requests.Session() as session:
        session.headers["X-Through"] = "here"
        call(server, session=session)
    assert b"X-Through: here" in server.requests[0]


@pytest.mark.parametrize(
    ("arguments", "named"),
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
def test_an_invalid_argument_of_the_client_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        Client(**{"api_key": KEY, **arguments})
    assert "pass" not in str(caught.value)
    assert str(arguments.get("api_key") or "-") not in str(caught.value).replace("api_key", "")


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
def test_arguments_that_the_provider_would_misread_are_never_sent(
    wire: Callable[..., Wire], method: str, arguments: dict[str, Any]
) -> None:
    server = wire(http(json.dumps(OK).encode()))
    with pytest.raises(InvalidRequest) as caught:
        getattr(client(server), method)(**arguments)
    assert server.requests == []
    assert "79990000001" not in str(caught.value)


ROW = {**USUAL_ROW, "id": "7"}


def day(**values: Any) -> bytes:
    """The response to a request for the daily statistics."""
    return http(
        json.dumps(
            {"result": "ok", "rows": "1", "data": [ROW], **values}, ensure_ascii=False
        ).encode()
    )


def test_daily_rows_are_streamed_and_bad_rows_are_counted(wire: Callable[..., Wire]) -> None:
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


def test_a_single_daily_row_may_be_an_object(wire: Callable[..., Wire]) -> None:
    assert [report.id for report in client(wire(day(data=ROW))).daily(DAY)] == ["7"]


def test_a_day_without_calls_has_no_rows(wire: Callable[..., Wire]) -> None:
    assert list(client(wire(day(data=[], rows=0))).daily(DAY)) == []


def test_a_refused_request_for_a_day_raises(wire: Callable[..., Wire]) -> None:
    server = wire(http(b'{"result": "error", "error_code": "Date_is_Empty"}'))
    with pytest.raises(ProviderRefused, match="Date_is_Empty"):
        list(client(server).daily(DAY))
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["date"] == "11.09.2020"


@pytest.mark.parametrize("cut", [10, 60, 150, -3])
def test_a_truncated_day_raises_after_its_rows(wire: Callable[..., Wire], cut: int) -> None:
    whole = day(data=[{**ROW, "id": str(number)} for number in range(50)])
    body = whole.partition(b"\r\n\r\n")[2]
    with pytest.raises(ProviderError) as caught:
        list(client(wire(http(body[:cut], length=len(body)))).daily(DAY))
    assert not isinstance(caught.value, ProviderRefused)
    with pytest.raises(UnreadableReply):
        list(client(wire(http(body[:cut]))).daily(DAY))
