"""Loaded by every Python process of a sample: it may connect to this machine only."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect, _look_up = socket.socket.connect, socket.getaddrinfo


def connect(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and not _is_here(str(address[0])):
        raise ConnectionRefusedError(f"samples may connect to this machine only, not {address[0]}")
    _connect(self, address)


def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
    if host is not None and not _is_here(str(host)):
        raise socket.gaierror(f"samples may connect to this machine only, not {host}")
    return _look_up(host, *args, **kwargs)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in ("", "localhost")


socket.socket.connect = connect  # type: ignore[method-assign, assignment]
socket.getaddrinfo = look_up
