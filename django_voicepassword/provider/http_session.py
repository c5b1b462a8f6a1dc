"""The session of the client: no proxy, no retry, and an answer whose head comes byte by byte ends
in time too.

Knows neither Django nor the rest of the app.
"""

from __future__ import annotations

import http.client
import io
import math
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

#: Bytes of an answer that are read at once.
CHUNK = 65536


def make_session() -> requests.Session:
    session = requests.Session()
    # No proxy variable and no .netrc: the key goes to the provider and to nobody else.
    session.trust_env = False
    adapter = HTTPAdapter(max_retries=0, pool_connections=2, pool_maxsize=2)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Ending(io.RawIOBase):
    """Reads of a socket, up to a moment: a timeout of the socket alone begins anew with every byte."""

    def __init__(self, raw: io.RawIOBase, seconds: float) -> None:
        self._raw = raw
        self.ends = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.ends:
            raise TimeoutError("the head of the answer does not end")
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """The head may take twice the timeout of one read. The body is the client's matter, which may
    be a whole day's.
    """

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._ending = _Ending(self.fp.detach(), 2 * (sock.gettimeout() or math.inf))
        self.fp = io.BufferedReader(self._ending)

    def begin(self) -> None:
        super().begin()
        self._ending.ends = math.inf


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
