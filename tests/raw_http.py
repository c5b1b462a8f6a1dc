"""Read HTTP requests from a socket, for test servers that answer with raw bytes."""

from __future__ import annotations

import socket


def read_request(connection: socket.socket) -> bytes:
    """Return a whole request, or b"" if the client has closed the connection.

    A server that closes the socket while part of the request is unread sends a TCP reset, and
    the client may lose the response.
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
