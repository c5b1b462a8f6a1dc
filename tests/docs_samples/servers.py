"""Servers for the samples, such as the development server and the sandbox, and a login by pages."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests

from tests.docs_samples.project import Project
from tests.waiting import until

Value = TypeVar("Value")
PATIENCE = 30
_CODE = re.compile(r"\[voicepassword\] .*?(\d{4,})\s*$", re.MULTILINE)


class Server:
    """A process that logs to a file. ``ready``: text that it prints when ready, or its port."""

    def __init__(
        self, project: Project, command: list[str], ready: str | int, **environment: Any
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
        wait_for(
            lambda: self._process.poll() is not None or self._is_ready(ready),
            f"{command} to be ready",
        )
        if self._process.poll() is not None:
            raise AssertionError(f"{command} ended:\n{self.output()}")

    def output(self) -> str:
        return self._log.read_text()

    def code(self) -> str:
        """Return the newest code that the console transport printed."""
        return str(wait_for(lambda: _CODE.findall(self.output()), "a code in the console")[-1])

    def stop(self) -> str:
        """Stop the process and return its output."""
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


def wait_for(condition: Callable[[], Value], what: str) -> Value:
    return until(condition, PATIENCE, what)


def log_in(address: str, phone: str, code: Callable[[], str]) -> None:
    """Log in at the pages: a wrong code, then the right one.

    ``code`` returns the code once the phone has rung.
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
    right = code()
    after_wrong = post(page, code=right[:-1] + str((int(right[-1]) + 1) % 10))
    assert "attempts are left" in after_wrong.text
    page = post(after_wrong, code=right)
    # Without a LOGIN_REDIRECT_URL the app has a page of its own.
    assert page.url in (f"{address}/", f"{address}/auth/login/"), page.url
    assert session.cookies.get("sessionid"), "no session"
