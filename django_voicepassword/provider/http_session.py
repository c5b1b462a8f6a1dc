"""The ``requests`` session of the client: no proxy, no retries, and a time limit for the headers.

Imports neither Django nor other modules of the app.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: How many bytes of a response are read at once.
CHUNK = 65536


class _PreparedSession(requests.Session):
    """Prepares the address and the headers of a request once: only the bodies differ.

    Preparing them takes ``requests`` a fifth of the time of a request. Cookies are not sent back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        url = str(request.url)
        if url not in self._prepared:
            without_body = requests.Request(request.method, url, headers=request.headers)
            self._prepared[url] = super().prepare_request(without_body)
        prepared = self._prepared[url].copy()
        prepared.prepare_body(request.data, files=None)
        return prepared


def make_session(has_same_headers: bool = False) -> requests.Session:
    """Make a session. ``has_same_headers``: all its POST requests to one address have the same."""
    session = _PreparedSession() if has_same_headers else requests.Session()
    # Ignore proxy variables and .netrc: the API key goes to the provider and to nobody else.
    session.trust_env = False
    adapter = HTTPAdapter(max_retries=0, pool_connections=2, pool_maxsize=2)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a deadline.

    The socket's own timeout starts again with every byte, so it does not bound a slow response.
    """

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self.deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if time.monotonic() > self.deadline:
            raise TimeoutError("the headers of the response do not end")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response whose status line and headers may take twice the read timeout.

    The body has no deadline here, since daily statistics may take long. The client sets its own.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = 2 * (sock.gettimeout() or math.inf)
        self._reader = _DeadlineReader(self.fp.detach(), seconds)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        super().begin()
        self._reader.deadline = math.inf


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
