"""A provider that breaks its answers, over real sockets, with a ledger: what was asked, and whether
it was answered.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: ``how(number, reply)``: the pieces of the raw answer, sent one after the other; then the
#: connection is closed.
Answer = Callable[[str, bytes], Iterator[bytes]]


def whole(number: str, reply: bytes) -> Iterator[bytes]:
    yield http(reply)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body


class Provider(ThreadingHTTPServer):
    """``with provider(answer) as asked: … asked.url``."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.answer = answer
        #: Number -> how often it was rung; number -> the code that it was rung with.
        self.rings: Counter[str] = Counter()
        self.codes: dict[str, str] = {}
        #: The numbers whose answer is out.
        self.answered: set[str] = set()
        self.answers_flow = threading.Event()
        self.answers_flow.set()
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/"

    def most_rings(self) -> int:
        """How often the number was rung that was rung most."""
        with self._lock:
            return max(self.rings.values(), default=0)

    def ring(self, body: dict[str, Any]) -> str:
        number = str(body["number"])
        with self._lock:
            self.rings[number] += 1
            self.codes[number] = str(body["flashcall"]["code"])
        return number

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked was killed."""


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = self.server.ring(body)
        self.server.answers_flow.wait(60)
        reply = {"result": "ok", "id": f"id-{number}", "number": number, "price": "0.35"}
        for piece in self.server.answer(number, json.dumps(reply).encode()):
            self.wfile.write(piece)
        self.server.answered.add(number)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def provider(answer: Answer = whole, port: int = 0) -> Iterator[Provider]:
    """A provider in threads of this process; ``port`` 0: any free one."""
    server = Provider(answer, port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.answers_flow.set()
        server.shutdown()
        server.server_close()
