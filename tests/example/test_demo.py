"""``make demo`` as a person uses it: it starts, says where to look, and Ctrl-C leaves nothing
behind.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

pytestmark = pytest.mark.processes

EXAMPLE = Path(__file__).parent.parent.parent / "example_project"

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc, which Linux has"
)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    def __init__(self, var: Path) -> None:
        self.var = var
        self.web, self.sandbox = _free_port(), _free_port()
        self.environment = {
            **os.environ,
            "VAR_DIR": str(var),
            "WEB_PORT": str(self.web),
            "SANDBOX_PORT": str(self.sandbox),
        }

    def start(self) -> subprocess.Popen[str]:
        # A session of its own, as a terminal has.
        return subprocess.Popen(
            [sys.executable, "demo.py"],
            cwd=EXAMPLE,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_until(self, process: subprocess.Popen[str], text: str) -> str:
        assert process.stdout
        read = ""
        for line in process.stdout:
            read += line
            if text in line:
                return read
        raise AssertionError(f"it ended early:\n{read}")

    def left(self) -> list[str]:
        """The commands of the processes that run with this demo's folder."""
        mark = f"VAR_DIR={self.var}".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return [command for command in found if command]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"VAR_DIR={demo.var}".encode() in (path / "environ").read_bytes():
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue


def _log_in_as_admin(demo: Demo, told: str) -> str:
    """The password that the demo told, after it has worked."""
    password = next(
        line.split()[-1] for line in told.splitlines() if line.strip().startswith("admin ")
    )
    session = requests.Session()
    address = f"http://127.0.0.1:{demo.web}/admin/login/"
    session.get(address, timeout=10)
    data = {
        "username": "admin",
        "password": password,
        "csrfmiddlewaretoken": session.cookies["csrftoken"],
    }
    assert session.post(f"{address}?next=/admin/", data=data, timeout=20).url.endswith("/admin/")
    return password


@needs_proc
def test_it_says_where_to_look_and_leaves_nothing_behind(demo: Demo) -> None:
    passwords = set()
    for ending in (signal.SIGINT, signal.SIGHUP):
        process = demo.start()
        told = demo.read_until(process, "Ctrl-C ends all")
        for address in (f"http://127.0.0.1:{demo.web}/", f"http://127.0.0.1:{demo.sandbox}/phone/"):
            assert address in told
            assert requests.get(address, timeout=10).status_code == 200
        passwords.add(_log_in_as_admin(demo, told))
        assert len(demo.left()) >= 5
        # As a terminal does: to the whole group of the foreground.
        os.killpg(process.pid, ending)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest
        assert "Traceback" not in told + rest
        assert demo.left() == []
    assert len(passwords) == 1


def test_a_taken_port_is_told_in_one_line(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.web))
        taken.listen()
        output, _ = demo.start().communicate(timeout=30)
    assert (
        output.splitlines()[-1] == f"port {demo.web} is taken: choose another one with WEB_PORT=…"
    )


@needs_proc
def test_a_process_that_dies_ends_all_of_them(demo: Demo) -> None:
    process = demo.start()
    demo.read_until(process, "Ctrl-C ends all")
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            if (
                b"beat" in command
                and f"VAR_DIR={demo.var}".encode() in (path / "environ").read_bytes()
            ):
                os.kill(int(path.name), signal.SIGKILL)
        except OSError:
            continue
    output, _ = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "beat ended: see its lines above"
    assert process.returncode == 1
    time.sleep(0.2)
    assert demo.left() == []
