"""The whole line over real HTTP: web, worker and sandbox as processes, SQLite, the embedded broker."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox_process import SandboxProcess

EXAMPLE = Path(__file__).parent.parent.parent / "example_project"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(found: Callable[[], Any], timeout: float = 20) -> Any:
    ends = time.monotonic() + timeout
    while not (value := found()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.1)
    return value


class Site:
    """The example project as processes of its own."""

    def __init__(self, var: Path, sandbox: SandboxProcess) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {"API_URL": sandbox.api_url, "CALLBACK_BASE_URL": self.url, "RESEND_AFTER": 0, "TIMEOUT": [2, 30]}
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(var),
            "VOICEPASSWORD": json.dumps(settings),
            "LANGUAGE_CODE": "en",
        }
        self.log = (var / "log").open("w")
        self.processes: list[subprocess.Popen[bytes]] = []
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v0"], cwd=EXAMPLE, env=self.environment, check=True, timeout=60
        )
        self.start([sys.executable, "manage.py", "runserver", "--noreload", str(self.port)])
        self.start_worker()
        until(self._answers)

    def start_worker(self) -> subprocess.Popen[bytes]:
        arguments = ["worker", "--concurrency=1", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        return self.start([sys.executable, "-m", "celery", "-A", "config", *arguments])

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, cwd=EXAMPLE, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )
        self.processes.append(process)
        return process

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=EXAMPLE, env=self.environment, check=True, timeout=60, capture_output=True, text=True
        ).stdout

    def stop(self) -> None:
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(10)
        self.log.close()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/auth/login/", timeout=5).ok
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.1) as process:
        yield process


@pytest.fixture(scope="module")
def site(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("var"), sandbox)
    yield site
    site.stop()


def _delivery(site: Site, verification: str) -> str:
    return str(requests.get(f"{site.url}/api/verifications/{verification}/", timeout=10).json()["delivery"])


def test_a_person_logs_in_by_the_pages(site: Site, sandbox: SandboxProcess) -> None:
    session = requests.Session()

    def post(path: str, page: str, **data: str) -> requests.Response:
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
        assert token
        return session.post(f"{site.url}{path}", data={"csrfmiddlewaretoken": token[1], **data}, timeout=20)

    page = session.get(f"{site.url}/auth/login/", timeout=20).text
    answer = post("/auth/login/", page, phone="8 (999) 000-00-01")
    assert answer.url == f"{site.url}/auth/login/code/"
    call = sandbox.wait_for_call("79990000001")
    assert call["from"].endswith(call["code"])
    assert call["code"] not in answer.text
    answer = post("/auth/login/code/", answer.text, code=call["code"])
    assert answer.url == f"{site.url}/"
    assert "+7 *** ***-**-01" in answer.text
    assert len(sandbox.calls("79990000001")) == 1


def test_a_program_hears_of_the_state_and_gets_the_code_by_sms(site: Site, sandbox: SandboxProcess) -> None:
    started = requests.post(f"{site.url}/api/verifications/", json={"phone": "79990000103"}, timeout=20)
    assert started.status_code == 201
    verification = started.json()["id"]
    until(lambda: _delivery(site, verification) == "busy")
    resent = requests.post(f"{site.url}/api/verifications/{verification}/resend/", json={"channel": "sms"}, timeout=20)
    assert resent.status_code == 200
    code = sandbox.wait_for_call("79990000103", "sms")["code"]
    until(lambda: _delivery(site, verification) == "delivered")
    checked = requests.post(f"{site.url}/api/verifications/{verification}/check/", json={"code": code}, timeout=20)
    assert checked.json()["status"] == "approved"
    assert checked.json()["proof"]


def test_a_worker_killed_while_the_provider_is_asked_rings_once_and_its_code_logs_in(
    site: Site, sandbox: SandboxProcess
) -> None:
    sandbox.hold()
    started = requests.post(f"{site.url}/api/verifications/", json={"phone": "79990000402"}, timeout=20)
    verification = started.json()["id"]
    call = sandbox.wait_for_call("79990000402")
    os.killpg(site.processes[-1].pid, signal.SIGKILL)
    site.processes.pop().wait(10)
    sandbox.release()
    site.start_worker()
    assert _delivery(site, verification) == "placing"
    # Its worker is given the read timeout and a margin; here that time is over at once.
    program = (
        "from datetime import timedelta; from django.utils import timezone; from django_voicepassword import polling; "
        "polling.lose_abandoned(timezone.now() + timedelta(minutes=3))"
    )
    site.manage("shell", "--command", program)
    assert _delivery(site, verification) == "unknown"
    body = {"verification": verification, "code": call["code"]}
    answer = requests.post(f"{site.url}/api/login/", json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    assert len(sandbox.calls("79990000402")) == 1
