"""Ports of this machine at which nobody answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that refuses every connection.

    The socket stays bound and does not listen. The port of a socket that was closed may be given to
    another program meanwhile, or to the very connection that asks for it.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
