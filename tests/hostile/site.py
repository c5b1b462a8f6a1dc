"""The site as its web server calls it: WSGI, without a test client that would tidy up what is sent."""

from __future__ import annotations

import io
import json
import traceback
from collections.abc import Iterator
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


def as_bytes_of(text: str) -> str:
    """WSGI hands bytes on as text of Latin-1; what is beyond it was UTF-8 on the wire."""
    return (
        text
        if text.isascii() or max(text) <= "\xff"
        else text.encode("utf-8", "surrogatepass").decode("latin-1")
    )


class Site:
    """``ask("POST", "/auth/login/", b"phone=1")``; ``environ`` holds what else a server would say
    of the request.
    """

    def __init__(self) -> None:
        self._application = WSGIHandler()

    def ask(
        self, method: str, path: str, body: bytes = b"", content_type: str = "", **environ: Any
    ) -> Answer:
        path, _, query = path.partition("?")
        answer = Answer()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> None:
            answer.status, answer.headers = int(status.split()[0]), headers

        given: dict[str, Any] = {
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
        given = {
            name: as_bytes_of(value) if isinstance(value, str) else value
            for name, value in given.items()
        }
        response = self._application(given, start)
        answer.body = b"".join(response)
        response.close()
        return answer


@contextmanager
def faults() -> Iterator[list[str]]:
    """Exceptions that no view caught, each of them a 500."""
    seen: list[str] = []

    def note(sender: object, request: Any, **kwargs: Any) -> None:
        seen.append(traceback.format_exc(limit=-4))

    got_request_exception.connect(note)
    try:
        yield seen
    finally:
        got_request_exception.disconnect(note)
