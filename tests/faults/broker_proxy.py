"""A TCP proxy to a broker that can hold back all data, or the answers to one command."""

from __future__ import annotations

import socket
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit

from tests.test_broker import Proxy


class BrokerProxy(Proxy):
    """Use as ``with BrokerProxy("redis://127.0.0.1:6379/0") as proxy: … proxy.url``."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.port
        self._broker_port = parts.port
        #: After this command no answer of the broker passes on its connection.
        self.mute_after = b""
        self._muted: set[socket.socket] = set()
        super().__init__(parts.port)
        user = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(
            parts._replace(netloc=f"{user}{'@' if user else ''}127.0.0.1:{self.port}")
        )

    def __enter__(self) -> BrokerProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        # Threads that hold data wake up and find their connections closed.
        self.flows.set()

    def hold(self) -> None:
        """Let no data pass any more, in either direction."""
        self.flows.clear()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        is_answer = source.getpeername()[1] == self._broker_port
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
