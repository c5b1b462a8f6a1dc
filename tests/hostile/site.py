"""The site as its web server calls it, by WSGI: a test client would correct what is sent."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.casefold() == name.casefold()), "")


def as_wsgi(text: str) -> str:
    """Return a value as WSGI passes it: bytes as Latin-1, other characters as UTF-8 before."""
    return (
        text
        if text.isascii() or max(text) <= "\xff"
        else text.encode("utf-8", "surrogatepass").decode("latin-1")
    )


class Site:
    """Use as ``ask("POST", "/auth/login/", b"phone=1")``; ``environ`` is added to the request's."""

    def __init__(self) -> None:
        self._application = WSGIHandler()

    def ask(
        self, method: str, path: str, body: bytes = b"", content_type: str = "", **environ: Any
    ) -> Answer:
        path, _, query = path.partition("?")
        answer = Answer()

        def start(
            status: str, headers: list[tuple[str, str]], *exc_info: Any
        ) -> Callable[[bytes], object]:
            answer.status, answer.headers = int(status.split()[0]), headers
            # WSGI asks for a function to write with; Django never calls it.
            return io.BytesIO().write

        variables: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        variables = {
            name: as_wsgi(value) if isinstance(value, str) else value
            for name, value in variables.items()
        }
        response = self._application(variables, start)
        answer.body = b"".join(response)
        response.close()
        return answer


@contextmanager
def collect_unhandled_exceptions() -> Iterator[list[str]]:
    """Collect the tracebacks of exceptions that no view caught: each is a 500."""
    tracebacks: list[str] = []

    def note(sender: object, request: Any, **kwargs: Any) -> None:
        tracebacks.append(traceback.format_exc(limit=-4))

    got_request_exception.connect(note)
    try:
        yield tracebacks
    finally:
        got_request_exception.disconnect(note)
