"""A fake provider over real sockets that can break its answers and records every request."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: ``answer(number, reply)`` returns the pieces of the raw HTTP answer. They are sent one after the
#: other; then the connection is closed.
Answer = Callable[[str, bytes], Iterator[bytes]]


def complete_answer(number: str, reply: bytes) -> Iterator[bytes]:
    yield http(reply)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body


class FakeProvider(ThreadingHTTPServer):
    """Use as ``with fake_provider(answer) as provider: … provider.url``."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        #: Number -> how often it was rung.
        self.rings: Counter[str] = Counter()
        #: Number -> the code of its last call.
        self.codes: dict[str, str] = {}
        #: The numbers whose answer has been sent.
        self.answered: set[str] = set()
        #: Cleared: requests are recorded, and their answers are held back.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/"

    def most_rings(self) -> int:
        """Return the greatest number of rings of a single number."""
        with self._lock:
            return max(self.rings.values(), default=0)

    def record_ring(self, body: dict[str, Any]) -> str:
        number = str(body["number"])
        with self._lock:
            self.rings[number] += 1
            self.codes[number] = str(body["flashcall"]["code"])
        return number

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback: the client was killed by a test."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeProvider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = self.server.record_ring(body)
        self.server.may_answer.wait(60)
        reply = {"result": "ok", "id": f"id-{number}", "number": number, "price": "0.35"}
        for piece in self.server.answer(number, json.dumps(reply).encode()):
            self.wfile.write(piece)
        self.server.answered.add(number)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def fake_provider(answer: Answer = complete_answer, port: int = 0) -> Iterator[FakeProvider]:
    """Run a fake provider in threads of this process; ``port`` 0 takes a free one."""
    server = FakeProvider(answer, port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.may_answer.set()
        server.shutdown()
        server.server_close()
