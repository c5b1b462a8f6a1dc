"""The sandbox answers as the provider's document says, asked without our client."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from django_voicepassword.sandbox.magic_numbers import GROUPS, OUTCOMES
from django_voicepassword.sandbox.russian import russian
from tests.sandbox_process import SandboxProcess
from tests.waiting import until

DOCUMENT = Path(__file__).parents[2] / "docs" / "sandbox.md"


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.1) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    return process


class CallbackServer:
    """Receives callbacks; answers with each of ``statuses`` in turn, then with 200."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.content_types: list[str] = []
        self.statuses: list[int] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                content_type = self.headers["Content-Type"]
                server.content_types.append(content_type)
                is_form = content_type.startswith("application/x-www-form")
                server.received.append(
                    dict(urllib.parse.parse_qsl(body.decode())) if is_form else json.loads(body)
                )
                self.send_response(server.statuses.pop(0) if server.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/callback/"

    def wait_for(self, count: int, timeout: float = 40) -> list[str]:
        """Wait for ``count`` callbacks and return their states."""
        deadline = time.monotonic() + timeout
        while len(self.received) < count:
            assert time.monotonic() < deadline, self.received
            time.sleep(0.02)
        # An unexpected one would follow at once.
        time.sleep(0.3)
        return [report["state"] for report in self.received]


@pytest.fixture
def callbacks() -> Iterator[CallbackServer]:
    callback_server = CallbackServer()
    thread = threading.Thread(
        target=callback_server.server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield callback_server
    callback_server.server.shutdown()
    thread.join()
    callback_server.server.server_close()


def ask(
    sandbox: SandboxProcess, address: str, body: Any, key: str | None = "sandbox-key"
) -> dict[str, Any]:
    """Send a request to the API and return the JSON of the response."""
    status, text = raw(
        sandbox,
        "POST",
        f"/api/voice-password/{address}/",
        body,
        {"Authorization": key} if key else {},
    )
    assert status == 200
    answer: dict[str, Any] = json.loads(text)
    return answer


def raw(
    sandbox: SandboxProcess,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Send any request and return the status and the body of the response."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(sandbox.url).netloc, timeout=20)
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection.request(method, path, data, headers or {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


@pytest.mark.parametrize(
    ("body", "channel", "length"),
    [
        ({"number": "79990000001"}, "flashcall", 4),
        ({"number": "79990000001", "capacity": "6"}, "flashcall", 6),
        ({"number": "79990000001", "flashcall": {"code": "0042"}}, "flashcall", 4),
        ({"number": "79990000001", "voice": {}}, "voice", 4),
        (
            {
                "number": "79990000001",
                "voice": {"code": "0042", "repeat": "1", "ani": "74959999999"},
            },
            "voice",
            4,
        ),
        # Seen at the provider: a form that it does not understand becomes a paid flash call.
        ({"number": "79990000001", "sms": {}}, "flashcall", 4),
    ],
)
def test_every_form_of_a_send_makes_its_call(
    sandbox: SandboxProcess, body: dict[str, Any], channel: str, length: int
) -> None:
    reply = ask(sandbox, "send", body)
    assert set(reply) == {"result", "id", "number", "price", "code"}
    assert (reply["result"], reply["number"], reply["price"], len(reply["code"])) == (
        "ok",
        "79990000001",
        "0.35",
        length,
    )
    (call,) = sandbox.calls()
    assert (call["channel"], call["code"], call["id"]) == (channel, reply["code"], reply["id"])


def test_the_reply_to_an_sms_has_the_mistake_of_the_document(sandbox: SandboxProcess) -> None:
    call = ask(sandbox, "send", {"number": "79990000001", "flashcall": {"code": "0042"}})
    reply = ask(sandbox, "send", {"sms": {"id": call["id"]}})
    assert reply[" message"] == "Ваш код: 0042"
    assert "code" not in reply
    assert reply["id"] != call["id"]


def test_an_sms_may_have_the_id_of_its_call(sandbox: SandboxProcess) -> None:
    call = ask(sandbox, "send", {"number": "79990000109"})
    assert ask(sandbox, "send", {"sms": {"id": call["id"]}})["id"] == call["id"]
    assert [row["channel"] for row in sandbox.calls()] == ["flashcall", "sms"]
    state = ask(sandbox, "get", {"request": "state", "id": call["id"]})
    assert state["data"]["service"] == "SMS"


@pytest.mark.parametrize(
    ("address", "body", "code"),
    [
        ("send", {}, "number_is_empty"),
        ("send", {"number": "123"}, "number_not_valid"),
        ("send", {"number": "79990000001", "flashcall": {"code": "12345"}}, "code_not_valid"),
        ("send", {"number": "79990000001", "flashcall": {}}, "code_not_valid"),
        ("send", {"number": "79990000001", "voice": {"code": "12a4"}}, "code_not_valid"),
        ("send", {"number": "79990000001", "voice": {"ani": "me"}}, "ani_phone_not_valid"),
        ("send", {"number": "79990000001", "voice": {}, "flashcall": {}}, "unknown_request"),
        ("send", {"sms": {"id": "1"}}, "ID_Not_Found"),
        ("send", [], "unknown_request"),
        ("get", {"request": "state", "id": "1"}, "ID_Not_Found"),
        ("get", {"request": "daily"}, "Date_is_Empty"),
        ("get", {"request": "weather"}, "unknown_request"),
    ],
)
def test_an_invalid_request_is_refused_and_costs_nothing(
    sandbox: SandboxProcess, address: str, body: Any, code: str
) -> None:
    assert ask(sandbox, address, body) == {"result": "error", "error_code": code}
    ledger = sandbox.ledger()
    assert (ledger["calls"], ledger["balance"]) == ([], "1000.00")
    assert [request["result"] for request in ledger["requests"]] == [code]


def test_every_magic_number_for_an_error_is_refused_with_it(sandbox: SandboxProcess) -> None:
    for number, outcome in OUTCOMES.items():
        if outcome.reply.startswith("error:"):
            code = outcome.reply.removeprefix("error:")
            assert ask(sandbox, "send", {"number": number}) == {
                "result": "error",
                "error_code": code,
            }
    assert sandbox.calls() == []


@pytest.mark.parametrize("key", [None, "", "wrong", "Bearer sandbox-key"])
def test_a_wrong_key_is_refused(sandbox: SandboxProcess, key: str | None) -> None:
    answer = ask(sandbox, "get", {"request": "balance"}, key)
    assert answer == {"result": "error", "error_code": "authorisation_failed"}


def test_the_key_may_be_in_the_body(sandbox: SandboxProcess) -> None:
    answer = ask(
        sandbox, "get", {"security": {"apiKey": "sandbox-key"}, "request": "balance"}, key=None
    )
    assert answer == {"result": "ok", "balance": "1000.00", "currency": "Rub"}


def test_a_call_that_the_balance_does_not_cover_is_refused(sandbox: SandboxProcess) -> None:
    sandbox.set_balance("0.40")
    assert ask(sandbox, "send", {"number": "79990000001"})["result"] == "ok"
    assert ask(sandbox, "send", {"number": "79990000001"})["error_code"] == "not_enough_money"
    assert sandbox.ledger()["balance"] == "0.05"


def test_daily_and_state_have_russian_words(sandbox: SandboxProcess) -> None:
    call = ask(sandbox, "send", {"number": "79990000103"})
    until(lambda: sandbox.calls()[-1]["state"] == "BUSY")
    row = ask(sandbox, "get", {"request": "state", "id": call["id"]})["data"]
    assert (row["state"], row["service"], row["duration"]) == ("Занято", "Flash Call", "00:00")
    day = row["date"].split()[0]
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", row["date"])
    assert ask(sandbox, "get", {"request": "daily", "date": day}) == {
        "result": "ok",
        "rows": "1",
        "data": [row],
    }
    assert ask(sandbox, "get", {"request": "daily", "date": "01.01.2020"})["data"] == []


def test_a_day_can_be_generated_and_calls_can_be_aged(sandbox: SandboxProcess) -> None:
    ask(sandbox, "send", {"number": "79990000001"})
    row = ask(sandbox, "get", {"request": "state", "id": sandbox.calls()[0]["id"]})["data"]
    today = row["date"].split()[0]
    sandbox.generate(today, 2500)
    day = ask(sandbox, "get", {"request": "daily", "date": today})
    assert (day["rows"], len(day["data"]), day["data"][0]["id"]) == ("2501", 2501, row["id"])
    assert len({row["id"] for row in day["data"]}) == 2501
    assert set(day["data"][-1]) == set(row)
    sandbox.age()
    assert len(ask(sandbox, "get", {"request": "daily", "date": today})["data"]) == 2500


def test_calls_of_an_earlier_process_can_be_restored(sandbox: SandboxProcess) -> None:
    ask(sandbox, "send", {"number": "79990000001"})
    own = ask(sandbox, "get", {"request": "state", "id": sandbox.calls()[0]["id"]})["data"]
    earlier = {**own, "id": "77", "number": "79990000002", "state": "Занято"}
    body = {"balance": "812.45", "rows": [earlier, own]}
    assert raw(sandbox, "POST", "/control/restore", body)[0] == 200
    assert sandbox.ledger()["balance"] == "812.45"
    assert ask(sandbox, "get", {"request": "state", "id": "77"})["data"] == earlier
    day = ask(sandbox, "get", {"request": "daily", "date": own["date"].split()[0]})
    assert day["data"][0] == earlier
    # The other call goes on meanwhile.
    assert [row["id"] for row in day["data"]] == ["77", own["id"]]


@pytest.mark.parametrize(
    ("number", "states"),
    [
        ("79990000101", ["ANSWERED"]),
        ("79990000107", ["NO ANSWER", "ANSWERED"]),
        ("79990000401", ["NO ANSWER", "NO ANSWER"]),
        ("79990000402", []),
        ("79990000405", ["NO ANSWER"]),
        ("79990000406", ["NO ANSWER", "DIALING"]),
    ],
)
def test_the_callbacks_of_a_call_follow_its_magic_number(
    sandbox: SandboxProcess, callbacks: CallbackServer, number: str, states: list[str]
) -> None:
    call = ask(sandbox, "send", {"number": number, "callback_url": callbacks.url})
    assert callbacks.wait_for(len(states)) == states
    for report in callbacks.received:
        assert set(report) == {"id", "number", "duration", "state", "price", "date"}
        assert (report["id"], report["number"]) == (call["id"], number)
    assert ("form" in "".join(callbacks.content_types)) is (number == "79990000405")


@pytest.mark.parametrize(
    ("number", "states"),
    [
        ("79990000001", ["QUEUED", "SEND", "DELIVERED"]),
        ("79990000108", ["QUEUED", "SEND", "NOT DELIVERED"]),
        ("79990000406", ["DELIVERED", "SEND", "QUEUED"]),
    ],
)
def test_the_callbacks_of_an_sms_go_to_the_callback_of_its_call(
    sandbox: SandboxProcess, callbacks: CallbackServer, number: str, states: list[str]
) -> None:
    call = ask(sandbox, "send", {"number": number, "callback_url": callbacks.url})
    callbacks.wait_for(2 if number.endswith("406") else 1)
    callbacks.received.clear()
    text = ask(sandbox, "send", {"sms": {"id": call["id"]}})
    assert callbacks.wait_for(3) == states
    assert {report["id"] for report in callbacks.received} == {text["id"]}


def test_a_callback_may_come_before_the_reply(
    sandbox: SandboxProcess, callbacks: CallbackServer
) -> None:
    ask(sandbox, "send", {"number": "79990000403", "callback_url": callbacks.url})
    assert len(callbacks.received) == 1


def test_a_callback_that_failed_is_repeated(
    sandbox: SandboxProcess, callbacks: CallbackServer
) -> None:
    callbacks.statuses = [500]
    ask(sandbox, "send", {"number": "79990000001", "callback_url": callbacks.url})
    assert callbacks.wait_for(2) == ["NO ANSWER", "NO ANSWER"]
    # It is noted after the answer has come.
    until(lambda: len(sandbox.ledger()["callbacks"]) == 2)
    assert [callback["status"] for callback in sandbox.ledger()["callbacks"]] == [500, 200]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nowhere/", None, 404),
        ("POST", "/nowhere/", {}, 404),
        ("POST", "/control/nothing", {}, 404),
        ("POST", "/control/balance", {"balance": "NaN"}, 400),
        ("POST", "/control/balance", {"balance": "much"}, 400),
        ("POST", "/control/balance", [], 400),
        ("POST", "/control/generate", {"date": "today", "rows": 5}, 400),
        ("POST", "/control/restore", {"balance": "1.00", "rows": [{"id": "77"}]}, 400),
        ("POST", "/control/generate", {"date": "10.03.2026", "rows": "5"}, 400),
        ("POST", "/api/voice-password/send/", b"x" * 70000, 413),
    ],
)
def test_an_invalid_http_request_has_an_error_status(
    sandbox: SandboxProcess, method: str, path: str, body: Any, status: int
) -> None:
    assert raw(sandbox, method, path, body)[0] == status
    assert sandbox.ledger()["balance"] == "1000.00"


def test_a_page_of_another_origin_cannot_use_the_controls(sandbox: SandboxProcess) -> None:
    assert raw(sandbox, "POST", "/control/reset", {}, {"Origin": "https://evil.example"})[0] == 403


@pytest.mark.parametrize(
    "spelling", ["79990000001", "8 (999) 000-00-01", "+7 999 000 00 01", "9990000001"]
)
def test_the_phone_page_finds_a_number_in_any_spelling(
    sandbox: SandboxProcess, spelling: str
) -> None:
    for number in ("79990000001", "79990000002"):
        ask(sandbox, "send", {"number": number, "flashcall": {"code": "0042"}})
    _, page = raw(sandbox, "GET", f"/phone/?{urllib.parse.urlencode({'number': spelling})}")
    assert page.count("<article") == 1
    assert "Flash call to +7 999 000-00-01" in page
    assert re.search(r"<mark[^>]*>0042</mark>", page)


def test_the_phone_page_escapes_input(sandbox: SandboxProcess) -> None:
    _, page = raw(sandbox, "GET", "/phone/?number=%22%3E%3Cscript%3E")
    assert "<script>" not in page
    ask(sandbox, "send", {"number": "<b>79990000001"})
    _, page = raw(sandbox, "GET", "/phone/")
    assert "<b>" not in page


def test_every_magic_number_is_on_the_front_page_and_in_the_documentation(
    sandbox: SandboxProcess,
) -> None:
    _, page = raw(sandbox, "GET", "/")
    document = DOCUMENT.read_text("utf-8")
    for number, outcome in OUTCOMES.items():
        assert f"number={number}" in page
        assert number[-3] in GROUPS
        assert f"| {number} | {outcome.about} |" in document
    assert set(re.findall(r"^\| (\d{11}) ", document, re.MULTILINE)) == set(OUTCOMES)


def test_the_pages_are_in_russian_too(sandbox: SandboxProcess) -> None:
    ask(sandbox, "send", {"number": "79990000105"})
    document = (DOCUMENT.parent / "ru" / "sandbox.md").read_text("utf-8")
    for path in ("/", "/phone/", "/phone/?number=79990000103"):
        _, page = raw(sandbox, "GET", path, None, {"Accept-Language": "ru-RU,ru;q=0.9,en;q=0.8"})
        text = re.sub(r"<(pre|code)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
        known = r"VoicePassword|SMS|HTTP|HTML|JSON|ID|\w+_\w+"
        assert re.findall(r"[A-Za-z]{2,}", re.sub(rf"\b({known})\b", "", text)) == []
    for number, outcome in OUTCOMES.items():
        words = russian(outcome.about).replace("\N{NO-BREAK SPACE}", " ")
        assert f"| {number} | {words} |" in document.replace("\N{NO-BREAK SPACE}", " ")
    _, page = raw(sandbox, "GET", "/phone/", None, {"Accept-Language": "en;q=0.9,ru;q=0.8"})
    assert "Flash call to +7 999 000-01-05" in page


@pytest.mark.processes
def test_every_option_is_in_the_documentation() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "django_voicepassword.sandbox", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"--[a-z-]+", process.stdout)) - {"--help"}
    assert options == set(
        re.findall(r"^\| `(--[a-z-]+)`", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    )


def test_it_warns_about_other_interfaces_and_reports_a_used_port(sandbox: SandboxProcess) -> None:
    port = urllib.parse.urlsplit(sandbox.url).port
    command = [sys.executable, "-m", "django_voicepassword.sandbox"]
    process = subprocess.run(
        [*command, f"--port={port}"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 2
    assert "choose another --port" in process.stderr
    with subprocess.Popen(
        [*command, "--port=0", "--host=0.0.0.0"], stdout=subprocess.PIPE, text=True
    ) as open_to_all:
        assert open_to_all.stdout is not None
        lines = [open_to_all.stdout.readline() for _ in range(4)]
        open_to_all.terminate()
    assert "WARNING" in lines[3]
