"""PostgreSQL restarted in the middle of everything: no row is lost, nobody is rung twice, and
people log in again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.faults.browser import Browser
from tests.faults.provider import http, provider
from tests.faults.servers import PostgreSQL, Redis
from tests.faults.stage import Stage
from tests.faults.until import until

pytestmark = pytest.mark.program("redis-server", "initdb", "postgres", "pg_ctl", "pg_isready")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(scope="module")
def site(
    server: PostgreSQL,
    broker: Redis,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[Stage]:
    """A site on it, with a queue of its own."""
    with Stage(
        tmp_path_factory.mktemp("var"), broker.url(1), server.url, django_db_blocker
    ) as running:
        yield running


class Crowd:
    """People who log in one after the other, several at a time, until they are told to stop."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._enough = threading.Event()
        self.begun: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.logged_in = 0

    def run(self) -> None:
        while not self._enough.is_set():
            self._log_in(self._stage.number())

    def stop(self) -> None:
        self._enough.set()

    def _count(self, what: str, answer: requests.Response) -> None:
        is_json = answer.headers["Content-Type"] == "application/json"
        word = answer.json().get("code", "") if is_json else ""
        self.answers[f"{what} {answer.status_code} {word}".rstrip()] += 1

    def _log_in(self, number: str) -> None:
        answer = self._stage.ask("verifications/", phone=number)
        self._count("start", answer)
        if answer.status_code != 201:
            return
        key = self.begun[number] = answer.json()["id"]
        code = self._stage.sandbox.wait_for_call(number, timeout=40)["code"]
        while not self._enough.is_set():
            answer = self._stage.log_in(key, code)
            self._count("login", answer)
            if answer.status_code < 500:
                self.logged_in += answer.status_code == 200
                return
            self._enough.wait(0.2)


def test_restarted_while_people_log_in(stage: Stage, server: PostgreSQL) -> None:
    stage.work()
    crowd = Crowd(stage)
    with ThreadPoolExecutor(4) as pool:
        people = [pool.submit(crowd.run) for _ in range(4)]
        try:
            for _ in range(2):
                enough = crowd.logged_in + 6
                until(lambda: crowd.logged_in >= enough, what="a login")  # noqa: B023
                server.kill()
                answer = stage.ask("verifications/", phone=stage.number())
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                server.start()
            enough = crowd.logged_in + 6
            until(lambda: crowd.logged_in >= enough, what="a login after the restart")
        finally:
            crowd.stop()
    for one in people:
        one.result()
    # Those too who were not promised anything, because the answer broke off: their rows may be
    # there.
    stage.settle()
    told = {"start 201", "start 503 unavailable"}
    # A session that cannot be written when all is done is Django's to tell.
    told |= {
        "login 200",
        "login 503 unavailable",
        "login 409 verification_closed",
        "login 500",
        "login 400",
    }
    assert set(crowd.answers) <= told
    assert {call.phone for call in stage.books.calls()} >= set(crowd.begun)
    rang = Counter(call["number"] for call in stage.sandbox.calls())
    assert set(rang.values()) == {1}
    assert set(rang) >= set(crowd.begun)


def test_restarted_while_the_provider_is_asked(stage: Stage, server: PostgreSQL) -> None:
    """What it answered is written when the database is there again."""
    stage.sandbox.hold()
    stage.work()
    numbers = [stage.number(), stage.number()]
    keys = [stage.begin(number) for number in numbers]
    until(lambda: stage.rings(*numbers) == [1, 1], what="a ring of both")
    server.kill()
    stage.sandbox.release()
    until(lambda: stage.failed_writes() >= 2, what="a try to write")
    server.start()
    until(lambda: stage.books.is_settled(*numbers), what="the rows")
    assert stage.books.states(*numbers) == ["placed", "placed"]
    for number, key in zip(numbers, keys, strict=True):
        assert stage.log_in(key, stage.sandbox.calls(number)[0]["code"]).status_code == 200
    assert stage.rings(*numbers) == [1, 1]


def test_restarted_while_the_provider_refuses(stage: Stage, server: PostgreSQL) -> None:
    """It surely did not ring: that is not forgotten either."""
    with provider(
        lambda *_: iter([http(b'{"result": "error", "error_code": "number_not_valid"}')])
    ) as asked:
        asked.answers_flow.clear()
        stage.work(API_URL=asked.url)
        number = stage.number()
        stage.begin(number)
        until(lambda: asked.rings[number], what="the question")
        server.kill()
        asked.answers_flow.set()
        until(stage.failed_writes, what="a try to write")
        server.start()
        until(lambda: stage.books.is_settled(number), what="the row")
    (call,) = stage.books.calls(number)
    assert (call.state, call.error_code) == ("refused", "number_not_valid")


def test_away_when_a_worker_takes_the_task(stage: Stage, server: PostgreSQL) -> None:
    """The person is rung as soon as the database is there again, and need not wait for beat."""
    number = stage.number()
    key = stage.begin(number)
    server.kill()
    stage.work()
    until(lambda: "Retry in" in stage.log(), what="a task that fails")
    server.start()
    began = time.monotonic()
    code = stage.sandbox.wait_for_call(number, timeout=40)["code"]
    assert time.monotonic() - began < 30
    until(lambda: stage.books.is_settled(number), what="the row")
    assert stage.log_in(key, code).status_code == 200
    assert stage.rings(number) == [1]


def test_pages_say_so_while_it_is_away(stage: Stage, server: PostgreSQL) -> None:
    stage.work()
    number = stage.number()
    with Browser(stage.web_url) as person:
        person.open("/auth/login/")
        person.send("/auth/login/", phone=number)
        code = stage.sandbox.wait_for_call(number, timeout=40)["code"]
        until(lambda: stage.books.is_settled(number), what="the row")
        server.kill()
        for answer in (
            person.open("/auth/login/code/"),
            person.send("/auth/login/code/", code=code),
        ):
            assert answer.status_code == 503
            assert "Try again in a minute" in answer.text
        state = person.open("/auth/login/code/state/")
        assert (state.status_code, state.json()["code"]) == (503, "unavailable")
        server.start()
        assert person.send("/auth/login/code/", code=code).url == f"{stage.web_url}/"
