"""Requests as they come over a socket, for servers that answer with bytes of a test."""

from __future__ import annotations

import socket


def read_request(connection: socket.socket) -> bytes:
    """The whole of one, empty where nobody asks any more. Who closes before that has the answer
    thrown away on its way.
    """
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
