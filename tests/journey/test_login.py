"""Logins over real HTTP: web, worker, beat and sandbox as processes, on each pair of servers."""

from __future__ import annotations

import re

import pytest
import requests
from processes import Site

from tests.sandbox_process import SandboxProcess
from tests.waiting import until

pytestmark = pytest.mark.processes


def _delivery(site: Site, verification: str) -> str:
    answer = requests.get(f"{site.web_url}/api/verifications/{verification}/", timeout=30)
    return str(answer.json()["delivery"])


def test_a_person_logs_in_by_the_pages(site: Site, sandbox: SandboxProcess) -> None:
    session = requests.Session()

    def post(path: str, page: str, **data: str) -> requests.Response:
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', page)
        assert token
        return session.post(
            f"{site.web_url}{path}", data={"csrfmiddlewaretoken": token[1], **data}, timeout=30
        )

    page = session.get(f"{site.web_url}/auth/login/", timeout=30).text
    answer = post("/auth/login/", page, phone="8 (999) 000-00-01")
    assert answer.url == f"{site.web_url}/auth/login/code/"
    call = sandbox.wait_for_call("79990000001")
    assert call["from"].endswith(call["code"])
    # Random, so that they may contain its four digits: the token and the beginning of the id.
    random = r'csrfmiddlewaretoken" value="\w+"|verification"( value)?="[0-9a-f]{8}"'
    assert call["code"] not in re.sub(random, "", answer.text)
    answer = post("/auth/login/code/", answer.text, code=call["code"])
    assert answer.url == f"{site.web_url}/"
    assert "+7 *** ***-**-01" in answer.text
    assert len(sandbox.calls("79990000001")) == 1


def test_a_program_reads_the_state_and_logs_in_with_the_code_of_an_sms(
    site: Site, sandbox: SandboxProcess
) -> None:
    started = requests.post(
        f"{site.web_url}/api/verifications/", json={"phone": "79990000103"}, timeout=30
    )
    assert started.status_code == 201
    verification = started.json()["id"]
    until(lambda: _delivery(site, verification) == "busy")
    resent = requests.post(
        f"{site.web_url}/api/verifications/{verification}/resend/",
        json={"channel": "sms"},
        timeout=30,
    )
    assert resent.status_code == 200
    code = sandbox.wait_for_call("79990000103", "sms")["code"]
    until(lambda: _delivery(site, verification) == "delivered")
    checked = requests.post(
        f"{site.web_url}/api/verifications/{verification}/check/", json={"code": code}, timeout=30
    )
    assert checked.json()["status"] == "approved"
    assert checked.json()["proof"]


def test_a_worker_killed_during_a_request_rings_once_and_the_code_logs_in(
    site: Site, sandbox: SandboxProcess
) -> None:
    sandbox.hold()
    started = requests.post(
        f"{site.web_url}/api/verifications/", json={"phone": "79990000402"}, timeout=30
    )
    verification = started.json()["id"]
    call = sandbox.wait_for_call("79990000402")
    site.kill("worker")
    sandbox.release()
    site.start("worker")
    assert _delivery(site, verification) == "placing"
    # A call counts as abandoned after the read timeout and a margin; here at once.
    program = (
        "from datetime import timedelta; from django.utils import timezone; "
        "from django_voicepassword.calls import recovery; "
        "recovery.lose_abandoned(timezone.now() + timedelta(minutes=3))"
    )
    site.manage("shell", "--command", program)
    assert _delivery(site, verification) == "unknown"
    body = {"verification": verification, "code": call["code"]}
    answer = requests.post(f"{site.web_url}/api/login/", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    assert len(sandbox.calls("79990000402")) == 1
