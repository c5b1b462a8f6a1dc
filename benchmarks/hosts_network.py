"""Hosts of their own on one machine: network namespaces that are joined by a bridge.

The bridge is in a namespace too, the hub, which has the servers that all hosts share. So nothing
of the machine's own network is touched, and a host reaches nothing but the hub and other hosts.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

#: The first addresses of a range that is set aside for benchmarks (RFC 2544).
HUB_ADDRESS, HOST_ADDRESS, BITS = "198.18.0.1", "198.18.0.{}", 24
#: The name of a namespace: the process that made it, and the host.
_NAME = re.compile(r"vphosts(\d+)-\w+")
_HUB = "hub"


class Network:
    """Use as ``with Network(["web1", "web2"]) as network: …``: at the end the namespaces are
    removed, and all processes in them are killed.

    ``made_by`` is the process that made the network, for a process that only uses it.
    """

    def __init__(self, hosts: list[str], made_by: int | None = None) -> None:
        self.hosts = hosts
        self.made_by = made_by or os.getpid()

    def __enter__(self) -> Self:
        _remove_leftovers()
        try:
            self._make_hub()
            for host in self.hosts:
                self._make_host(host)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._remove()

    def address(self, host: str) -> str:
        return HOST_ADDRESS.format(11 + self.hosts.index(host))

    def inside(self, host: str, *command: str) -> list[str]:
        """The command that runs ``command`` on a host, or on the hub."""
        return ["ip", "netns", "exec", self._name(host), *command]

    def cut_off(self, host: str) -> None:
        """Pull the cable of a host: what is sent to it or by it is lost, and nobody is told."""
        self._in_hub("link", "set", host, "down")

    def connect(self, host: str) -> None:
        self._in_hub("link", "set", host, "up")

    def _name(self, host: str) -> str:
        return f"vphosts{self.made_by}-{host}"

    def _in_hub(self, *words: str) -> None:
        _ip("-n", self._name(_HUB), *words)

    def _make_hub(self) -> None:
        _ip("netns", "add", self._name(_HUB))
        self._in_hub("link", "set", "lo", "up")
        self._in_hub("link", "add", "bridge", "type", "bridge")
        self._in_hub("address", "add", f"{HUB_ADDRESS}/{BITS}", "dev", "bridge")
        self._in_hub("link", "set", "bridge", "up")

    def _make_host(self, host: str) -> None:
        name = self._name(host)
        _ip("netns", "add", name)
        self._in_hub(
            *("link", "add", host, "type", "veth"), *("peer", "name", "eth0", "netns", name)
        )
        self._in_hub("link", "set", host, "master", "bridge", "up")
        _ip("-n", name, "address", "add", f"{self.address(host)}/{BITS}", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", name, "link", "set", link, "up")

    def _remove(self) -> None:
        for host in [*self.hosts, _HUB]:
            _remove(self._name(host))


def obstacle() -> str:
    """Why this machine cannot have such a network; empty if it can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces: run it as root, for example in a container"
    try:
        with Network([]):
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return f"network namespaces cannot be made here ({said.strip()})"


def _remove_leftovers() -> None:
    """Remove the namespaces of runs that were killed."""
    for line in _ip("netns", "list").splitlines():
        match = _NAME.match(line)
        if match and not Path(f"/proc/{match[1]}").exists():
            _remove(match[0])


def _remove(name: str) -> None:
    if not Path(f"/run/netns/{name}").exists():
        return
    for pid in _ip("netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "delete", name)


def _ip(*words: str) -> str:
    return subprocess.run(
        ["ip", *words], check=True, capture_output=True, text=True, timeout=20
    ).stdout
