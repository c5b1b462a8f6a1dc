"""Run the sandbox as a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any


class SandboxProcess:
    """A running sandbox and its controls: ``with SandboxProcess() as sandbox: sandbox.calls()``.

    Keyword arguments become command-line options: ``callback_delay=0.1`` is
    ``--callback-delay=0.1``.
    """

    key = "sandbox-key"

    def __init__(self, **options: Any) -> None:
        self._arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]

    @classmethod
    def at(cls, url: str) -> SandboxProcess:
        """Return the controls of a sandbox that already runs, as part of a site."""
        controls = cls()
        controls.url = f"{url}/"
        return controls

    def __enter__(self) -> SandboxProcess:
        command = [
            sys.executable,
            "-m",
            "django_voicepassword.sandbox",
            "--port=0",
            "--quiet",
            *self._arguments,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("sandbox listening on "), line
        self.url = line.split()[-1]
        self.api_url = f"{self.url}api/voice-password/"
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(40)
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def settings(self) -> dict[str, Any]:
        """VOICEPASSWORD for a project that calls through this sandbox.

        Calls are only queued: the test places them itself.
        """
        return {
            "TRANSPORT": "http",
            "DISPATCH": "celery",
            "API_KEY": self.key,
            "API_URL": self.api_url,
        }

    def ledger(self, number: str = "") -> dict[str, Any]:
        with urllib.request.urlopen(
            f"{self.url}control/ledger.json?number={number}", timeout=40
        ) as response:
            ledger: dict[str, Any] = json.load(response)
        return ledger

    def calls(self, number: str = "") -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.ledger(number)["calls"]
        return calls

    def reset(self) -> None:
        self._control("reset")

    def hold(self) -> None:
        self._control("hold")

    def release(self) -> None:
        self._control("release")

    def set_balance(self, balance: str) -> None:
        self._control("balance", {"balance": balance})

    def generate(self, date: str, rows: int) -> None:
        self._control("generate", {"date": date, "rows": rows})

    def age(self) -> None:
        self._control("age")

    def wait_for_call(
        self, number: str, channel: str | None = None, timeout: float = 40
    ) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            calls = [call for call in self.calls(number) if channel in (None, call["channel"])]
            if calls:
                return calls[-1]
            time.sleep(0.05)
        raise AssertionError(f"no call to {number} within {timeout} s")

    def _control(self, name: str, body: dict[str, Any] | None = None) -> None:
        data = json.dumps(body or {}).encode()
        with urllib.request.urlopen(f"{self.url}control/{name}", data=data, timeout=40) as response:
            assert response.status == 200
