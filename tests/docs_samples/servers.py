"""Servers that samples need: the development server of a page's project, the sandbox, the demo; and
a person.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import requests

from tests.docs_samples.project import Project

PATIENCE = 30
_CODE = re.compile(r"\[voicepassword\] .*?(\d{4,})\s*$", re.MULTILINE)


class Server:
    """A process whose output is a file. ``ready``: what it prints, or the port on which it answers."""

    def __init__(
        self, project: Project, command: list[str], ready: str | int, **environment: str
    ) -> None:
        self._log = project.folder / f"log-{time.monotonic_ns()}"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=project.folder,
                env=project.environment(**environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(
            lambda: self._process.poll() is not None or self._is_ready(ready),
            f"{command} to be ready",
        )
        if self._process.poll() is not None:
            raise AssertionError(f"{command} ended:\n{self.output()}")

    def output(self) -> str:
        return self._log.read_text()

    def code(self) -> str:
        """The newest code that the console transport printed."""
        return until(lambda: _CODE.findall(self.output()), "a code in the console")[-1]

    def stop(self) -> str:
        """End it; what it printed."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE)
        return self.output()

    def _is_ready(self, ready: str | int) -> bool:
        return ready in self.output() if isinstance(ready, str) else answers(ready)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(found: Callable[[], Any], what: str) -> Any:
    """The first true value of ``found``."""
    ends = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < ends, f"waited {PATIENCE} s for {what}"
        time.sleep(0.05)
    return value


def log_in(address: str, phone: str, code: Callable[[], str]) -> None:
    """What a person does at the login pages, in their order; they are at the page behind the login
    at the end.
    """
    session = requests.Session()
    session.headers["Accept-Language"] = "en"

    def post(page: requests.Response, **fields: str) -> requests.Response:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)', page.text)
        assert token, f"{page.url} has no form"
        return session.post(
            page.url, data={"csrfmiddlewaretoken": token[1], **fields}, timeout=PATIENCE
        )

    page = post(session.get(f"{address}/auth/login/", timeout=PATIENCE), phone=phone)
    assert page.url == f"{address}/auth/login/code/", page.url
    assert "Do not answer: the code is the last 4 digits of the number that" in re.sub(
        r"\s+", " ", page.text
    )
    typed = code()
    wrong = post(page, code=typed[:-1] + str((int(typed[-1]) + 1) % 10))
    assert "attempts are left" in wrong.text
    page = post(wrong, code=typed)
    assert page.url == f"{address}/", page.url
    assert session.cookies.get("sessionid"), "no session"
