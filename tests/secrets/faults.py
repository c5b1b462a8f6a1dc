"""Faults, injected where they would happen: in the database's cursor, at the provider's socket, in
the host's own code.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

import requests
from django.db import connection
from requests.adapters import HTTPAdapter

from django_voicepassword.backends import PhoneBackend
from django_voicepassword.client import Client
from django_voicepassword.provider.protocol import SendReply
from tests.raw_http import read_request

KEY = "key-of-the-account-7c41"
#: As a person writes it, and the code that the provider makes: ten digits are met nowhere else.
WRITTEN, PHONE = "8 (926) 123-45-07", "79261234507"
CODE, GUESS = "8240719356", "73915guess"


class Fault(Exception):
    """Somebody's fault."""


def raising(*args: Any, **kwargs: Any) -> Any:
    raise Fault("it broke")


class BackendThatBreaks(PhoneBackend):
    def create_user(self, phone: str) -> Any:
        raising()


def broken_sql(
    statement: str, error: type[Exception] = Fault, after: int = 0
) -> AbstractContextManager[None]:
    """``statement``, "INSERT verification": such statements reach the cursor, with what they were
    to write, and raise.

    ``after``: so many of them pass.
    """
    verb, _, table = statement.partition(" ")
    passed = count()

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if (
            sql.lstrip().startswith(verb)
            and f"voicepassword_{table}" in sql
            and next(passed) >= after
        ):
            raise error("it broke")
        return run(sql, params, many, context)

    return connection.execute_wrapper(execute)


class _Broken(HTTPAdapter):
    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        raising()


def client_that_breaks() -> Client:
    """TRANSPORT: a fault of requests, which is none of its own exceptions."""
    return _client(_Broken())


def client_that_breaks_with_the_key_in_the_body() -> Client:
    return _client(_Broken(), auth="body")


def client_that_answers() -> Any:
    """TRANSPORT: the provider makes the code."""

    class Answering(Client):
        def flash_call(self, number: str, *args: Any, **kwargs: Any) -> SendReply:
            return SendReply(id="17", number=number, code=CODE)

    return Answering(KEY)


def _client(adapter: HTTPAdapter, **options: Any) -> Client:
    session = requests.Session()
    session.mount("https://", adapter)
    return Client(KEY, session=session, **options)


@contextmanager
def provider(answer: bytes | None) -> Iterator[str]:
    """The address of a provider that answers every request with these bytes and hangs up; None: it
    keeps silent.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                kept.append(connection)
                read_request(connection)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            for one in kept:
                one.close()


def http(body: str, status: str = "200 OK") -> bytes:
    """An answer over HTTP, to the end of the connection."""
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}".encode()
