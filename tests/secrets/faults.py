"""Faults injected where they would happen, and the secrets that no report about them may contain.

They break the database cursor, the provider's socket, and the code of the host project.
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
#: A number as a person types it, and as it is stored.
PHONE_AS_TYPED, PHONE = "8 (926) 123-45-07", "79261234507"
#: A code that the provider makes, and a typed code: of ten digits, so that no other figure equals
#: them.
CODE, GUESS = "8240719356", "7391548260"


class Fault(Exception):
    """An error that no code expects."""


def fail(*args: Any, **kwargs: Any) -> Any:
    raise Fault("it broke")


class BrokenBackend(PhoneBackend):
    def create_user(self, phone: str) -> Any:
        fail()


def broken_sql(
    statement: str, error: type[Exception] = Fault, after: int = 0
) -> AbstractContextManager[None]:
    """Raise an error for one kind of statement, such as ``INSERT verification``.

    It is raised in the cursor, where the frames hold the parameters. ``after``: how many such
    statements pass before.
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
        fail()


def broken_client() -> Client:
    """For TRANSPORT: requests raises an exception that is not one of its own."""
    return _client(_Broken())


def broken_client_with_key_in_body() -> Client:
    return _client(_Broken(), auth="body")


def client_with_provider_code() -> Any:
    """For TRANSPORT: a provider that makes the code."""

    class Answering(Client):
        def flash_call(self, number: str, *args: Any, **kwargs: Any) -> SendReply:
            return SendReply(id="17", number=number, code=CODE)

    return Answering(KEY)


def _client(adapter: HTTPAdapter, **options: Any) -> Client:
    session = requests.Session()
    session.mount("https://", adapter)
    return Client(KEY, session=session, **options)


@contextmanager
def fake_provider(
    answer: bytes | None, when_asked: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """Run a provider that answers every request with these bytes and hangs up; yield its address.

    With None it never answers. ``when_asked`` is called when it has read a request.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                read_request(connection)
                when_asked()
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            for connection in connections:
                connection.close()


def http(body: str, status: str = "200 OK") -> bytes:
    """Return an HTTP answer without a length: it ends with the connection."""
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{body}".encode()
