"""States are asked for in parallel, and no call is forgotten where an answer does not come."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from django.utils import timezone

from django_voicepassword.calls import polling
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.protocol import Report, parse_report

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.get_fixed_timezone(0))
REFUSAL = {"result": "error", "error_code": "User_Disabled"}


def answered(state: str) -> dict[str, Any]:
    return {"result": "ok", "data": {"state": state}}


class Provider(ThreadingHTTPServer):
    """Answers what ``answer`` returns for the number of a question, which begin at 1."""

    answer: Callable[[int], dict[str, Any]]
    #: All may connect at the same time.
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        question = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.server.lock:
            self.server.asked.append(question)
            number = len(self.server.asked)
        body = json.dumps(self.server.answer(number)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *values: object) -> None:
        """Be quiet."""


@pytest.fixture
def provider(configure: Callable[..., None]) -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    configure(TRANSPORT="http", API_KEY="key", API_URL=server.url, TIMEOUT=(5, 30))
    yield server
    server.shutdown()
    server.server_close()


def placed_calls(count: int, **values: Any) -> list[CallRequest]:
    """Calls that are due for their first poll."""
    return CallRequest.objects.bulk_create(
        [
            CallRequest(
                phone=f"7999000{number:04}",
                channel="flashcall",
                state="placed",
                provider_id=str(number),
                created_at=NOW,
                claimed_at=NOW,
                placed_at=NOW,
                next_poll_at=NOW + timedelta(seconds=15),
                **values,
            )
            for number in range(count)
        ]
    )


def poll(seconds: float = 20) -> int:
    return polling.poll_due(NOW + timedelta(seconds=seconds))


def test_many_states_are_asked_for_at_the_same_time(provider: Provider) -> None:
    together = threading.Barrier(16)

    def answer(number: int) -> dict[str, Any]:
        if number > 1:
            # Nobody is answered before sixteen ask.
            together.wait(timeout=25)
        return answered("BUSY")

    provider.answer = answer
    placed_calls(17)
    assert poll() == 17
    assert set(CallRequest.objects.values_list("state", flat=True)) == {"busy"}


def test_a_run_takes_more_calls_than_it_claims_at_once(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.answer = lambda number: answered("BUSY")
    monkeypatch.setattr(polling, "BATCH", 3)
    placed_calls(8)
    assert poll() == 8
    assert not CallRequest.objects.exclude(state="busy").exists()


@pytest.mark.parametrize("good", [0, 1, 3])
def test_a_refused_account_stops_the_run_and_no_call_loses_its_poll(
    provider: Provider, good: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two at once, so that some are not asked for any more.
    monkeypatch.setattr(polling, "AT_ONCE", 2)
    provider.answer = lambda number: answered("BUSY") if number <= good else REFUSAL
    placed_calls(60)
    poll()
    assert len(provider.asked) < 60
    if good == 0:
        assert len(provider.asked) == 1
    assert circuit.refusal() is not None
    assert CallRequest.objects.filter(state="busy").count() == good
    others = CallRequest.objects.filter(state="placed")
    assert set(others.values_list("polls", flat=True)) == {0}
    if good == 0:
        # Nobody claimed the others: the next run begins with one of them.
        assert others.filter(next_poll_at=NOW + timedelta(seconds=15)).count() == 59
    else:
        assert not others.exclude(next_poll_at=NOW + timedelta(seconds=80)).exists()


@pytest.mark.parametrize("polls", [0, 3])
def test_a_call_whose_poll_was_killed_is_asked_for_again(provider: Provider, polls: int) -> None:
    """Also the last poll: else nobody would say that the call has no final state."""
    provider.answer = lambda number: answered("DIALING")
    [call] = placed_calls(1, polls=polls)
    assert polling._claim_poll(call, NOW + timedelta(seconds=20))
    assert poll(21) == 0
    assert poll(90) == 1
    call.refresh_from_db()
    if polls == 3:
        assert (call.state, call.error_code) == ("unknown", "no_final_state")
        assert call.next_poll_at is None


def test_the_last_poll_of_a_call_that_is_not_placed_ends_its_polls(provider: Provider) -> None:
    provider.answer = lambda number: answered("TELEPORTED")
    [call] = placed_calls(1, polls=3)
    CallRequest.objects.update(state="unknown")
    assert [poll(20), poll(3600)] == [1, 0]
    call.refresh_from_db()
    assert call.next_poll_at is None


class ProjectClient:
    """A client of the project's own, which notes in which thread it is asked."""

    threads: ClassVar[list[threading.Thread]] = []

    def state(self, request_id: str) -> Report:
        self.threads.append(threading.current_thread())
        return parse_report({"state": "BUSY"})


def test_a_client_of_the_project_is_asked_in_the_thread_of_the_task(
    configure: Callable[..., None],
) -> None:
    configure(TRANSPORT=f"{__name__}.ProjectClient")
    placed_calls(3)
    assert poll() == 3
    assert ProjectClient.threads == [threading.current_thread()] * 3
