"""A wire to a broker that can be silenced: everything, or what the broker answers to one command."""

from __future__ import annotations

import socket
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

from tests.test_broker import Proxy


class Wire(Proxy):
    """``with Wire("redis://127.0.0.1:6379/0") as wire: … wire.url``; what is silenced never
    arrives.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.port
        self._far_port = parts.port
        #: After this command no answer of the broker arrives on its connection any more.
        self.mute_after = b""
        self._muted: set[socket.socket] = set()
        super().__init__(parts.port)
        user = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(
            parts._replace(netloc=f"{user}{'@' if user else ''}127.0.0.1:{self.port}")
        )

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()
        # Those who wait with something in their hands find their connection closed.
        self.flows.set()

    def silence(self) -> None:
        self.flows.clear()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        is_answer = source.getpeername()[1] == self._far_port
        try:
            while data := source.recv(65536):
                self.flows.wait()
                if not is_answer and self.mute_after and self.mute_after in data:
                    self._muted.add(source)
                if not (is_answer and sink in self._muted):
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
