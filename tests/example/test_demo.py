"""``make demo``: it starts, prints its addresses, and Ctrl-C leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from processes import free_port

from tests.waiting import until

pytestmark = [pytest.mark.processes, pytest.mark.long]

EXAMPLE = Path(__file__).parent.parent.parent / "example_project"

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc, which Linux has"
)


class Demo:
    def __init__(self, var: Path) -> None:
        self.var = var
        self.web, self.sandbox = free_port(), free_port()
        self.environment = {
            **os.environ,
            "VAR_DIR": str(var),
            "WEB_PORT": str(self.web),
            "SANDBOX_PORT": str(self.sandbox),
        }

    def start(self) -> subprocess.Popen[str]:
        # A session of its own, as in a terminal.
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
        output = ""
        for line in process.stdout:
            output += line
            if text in line:
                return output
        raise AssertionError(f"it ended early:\n{output}")

    def processes(self) -> dict[int, str]:
        """Return the ids and commands of the processes that run with this demo's folder."""
        variable = f"VAR_DIR={self.var}".encode()
        commands = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if variable in (path / "environ").read_bytes().split(b"\0"):
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    commands[int(path.name)] = command
            except OSError:
                continue
        return {number: command for number, command in commands.items() if command}

    def kill(self, word: str = "") -> None:
        """Kill the processes whose command has this word."""
        for number, command in self.processes().items():
            if word in command:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    demo.kill()


def _log_in_as_owner(demo: Demo, output: str) -> str:
    """Log in with the password that the demo printed, and return it."""
    password = next(
        line.split()[-1] for line in output.splitlines() if line.strip().startswith("owner ")
    )
    session = requests.Session()
    address = f"http://127.0.0.1:{demo.web}/admin/login/"
    session.get(address, timeout=30)
    data = {
        "username": "owner",
        "password": password,
        "csrfmiddlewaretoken": session.cookies["csrftoken"],
    }
    assert session.post(f"{address}?next=/admin/", data=data, timeout=30).url.endswith("/admin/")
    return password


@needs_proc
def test_it_prints_its_addresses_and_leaves_no_process_behind(demo: Demo) -> None:
    passwords = set()
    for ending in (signal.SIGINT, signal.SIGHUP):
        process = demo.start()
        output = demo.read_until(process, "Ctrl-C ends all")
        for address in (f"http://127.0.0.1:{demo.web}/", f"http://127.0.0.1:{demo.sandbox}/phone/"):
            assert address in output
            assert requests.get(address, timeout=30).status_code == 200
        passwords.add(_log_in_as_owner(demo, output))
        assert len(demo.processes()) >= 5
        # A terminal sends the signal to the whole foreground group.
        os.killpg(process.pid, ending)
        end_of_output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, end_of_output
        assert "Traceback" not in output + end_of_output
        assert demo.processes() == {}
    assert len(passwords) == 1


def test_a_taken_port_is_reported_in_one_line(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.web))
        taken.listen()
        output, _ = demo.start().communicate(timeout=60)
    assert output.splitlines()[-1] == (
        f"taken, by another demo or another program: port {demo.web}. End that program,"
        " or choose another port: WEB_PORT=… make demo"
    )


@needs_proc
def test_the_death_of_one_process_ends_all(demo: Demo) -> None:
    process = demo.start()
    demo.read_until(process, "Ctrl-C ends all")
    demo.kill("beat")
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == "beat ended: see its lines above"
    assert process.returncode == 1
    until(lambda: demo.processes() == {}, what="the end of all processes")
