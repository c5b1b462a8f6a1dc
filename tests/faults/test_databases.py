"""PostgreSQL restarted under load: no row is lost, nobody is rung twice, and logins work again."""

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
from tests.faults.faulty_site import FaultySite
from tests.faults.provider import fake_provider, http
from tests.faults.servers import PostgreSQL, Redis
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server", "initdb", "postgres", "pg_ctl", "pg_isready")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as postgresql:
        yield postgresql


@pytest.fixture(scope="module")
def shared_site(
    server: PostgreSQL,
    broker: Redis,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: Any,
) -> Iterator[FaultySite]:
    """A site on this server, with a queue of its own."""
    with FaultySite(
        tmp_path_factory.mktemp("var"), broker.url(1), server.url, django_db_blocker
    ) as running:
        yield running


class Crowd:
    """People who log in one after the other until ``stop``; each thread that runs is one person."""

    def __init__(self, site: FaultySite) -> None:
        self._site = site
        self._stopped = threading.Event()
        self.verifications: dict[str, str] = {}
        self.answers: Counter[str] = Counter()
        self.logged_in = 0

    def run(self) -> None:
        while not self._stopped.is_set():
            self._log_in(self._site.new_number())

    def stop(self) -> None:
        self._stopped.set()

    def _count(self, step: str, answer: requests.Response) -> None:
        is_json = answer.headers["Content-Type"] == "application/json"
        error = answer.json().get("code", "") if is_json else ""
        self.answers[f"{step} {answer.status_code} {error}".rstrip()] += 1

    def _log_in(self, number: str) -> None:
        answer = self._site.post("verifications/", phone=number)
        self._count("start", answer)
        if answer.status_code != 201:
            return
        key = self.verifications[number] = answer.json()["id"]
        code = self._site.sandbox.wait_for_call(number, timeout=40)["code"]
        while not self._stopped.is_set():
            answer = self._site.log_in(key, code)
            self._count("login", answer)
            if answer.status_code < 500:
                self.logged_in += answer.status_code == 200
                return
            self._stopped.wait(0.2)


def wait_for_logins(crowd: Crowd, what: str) -> None:
    """Wait for six more logins."""
    expected = crowd.logged_in + 6
    until(lambda: crowd.logged_in >= expected, what=what)


def test_a_restart_while_people_log_in_loses_no_row(site: FaultySite, server: PostgreSQL) -> None:
    site.start_worker()
    crowd = Crowd(site)
    with ThreadPoolExecutor(4) as pool:
        people = [pool.submit(crowd.run) for _ in range(4)]
        try:
            for _ in range(2):
                wait_for_logins(crowd, "a login")
                server.kill()
                answer = site.post("verifications/", phone=site.new_number())
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                server.start()
            wait_for_logins(crowd, "a login after the restart")
        finally:
            crowd.stop()
    for person in people:
        person.result()
    # All calls, because a start whose answer was lost may have left its rows.
    site.settle()
    expected = {
        "start 201",
        "start 503 unavailable",
        "login 200",
        "login 503 unavailable",
        "login 409 verification_closed",
        # Django's answers when the session cannot be written at the end of the request.
        "login 500",
        "login 400",
    }
    assert set(crowd.answers) <= expected
    assert {call.phone for call in site.database.calls()} >= set(crowd.verifications)
    rings = Counter(call["number"] for call in site.sandbox.calls())
    assert set(rings.values()) == {1}
    assert set(rings) >= set(crowd.verifications)


def test_a_restart_while_the_provider_is_asked_loses_no_result(
    site: FaultySite, server: PostgreSQL
) -> None:
    """The worker writes the result when the database is back."""
    site.sandbox.hold()
    site.start_worker()
    numbers = [site.new_number(), site.new_number()]
    keys = [site.start_verification(number) for number in numbers]
    until(lambda: site.rings(*numbers) == [1, 1], what="a ring of both")
    server.kill()
    site.sandbox.release()
    until(lambda: site.failed_writes() >= 2, what="a try to write")
    server.start()
    until(lambda: site.database.is_settled(*numbers), what="the rows")
    assert site.database.states(*numbers) == ["placed", "placed"]
    for number, key in zip(numbers, keys, strict=True):
        assert site.log_in(key, site.sandbox.calls(number)[0]["code"]).status_code == 200
    assert site.rings(*numbers) == [1, 1]


def test_a_restart_while_the_provider_refuses_loses_no_refusal(
    site: FaultySite, server: PostgreSQL
) -> None:
    with fake_provider(
        lambda *_: iter([http(b'{"result": "error", "error_code": "number_not_valid"}')])
    ) as provider:
        provider.may_answer.clear()
        site.start_worker(API_URL=provider.url)
        number = site.new_number()
        site.start_verification(number)
        until(lambda: provider.rings[number], what="the question")
        server.kill()
        provider.may_answer.set()
        until(site.failed_writes, what="a try to write")
        server.start()
        until(lambda: site.database.is_settled(number), what="the row")
    (call,) = site.database.calls(number)
    assert (call.state, call.error_code) == ("refused", "number_not_valid")


def test_a_database_away_when_a_worker_takes_the_task_delays_the_call(
    site: FaultySite, server: PostgreSQL
) -> None:
    """The phone rings as soon as the database is back, without waiting for beat."""
    number = site.new_number()
    key = site.start_verification(number)
    server.kill()
    site.start_worker()
    until(lambda: "Retry in" in site.log(), what="a task that fails")
    server.start()
    began = time.monotonic()
    code = site.sandbox.wait_for_call(number, timeout=40)["code"]
    assert time.monotonic() - began < 30
    until(lambda: site.database.is_settled(number), what="the row")
    assert site.log_in(key, code).status_code == 200
    assert site.rings(number) == [1]


def test_pages_answer_503_while_the_database_is_away(site: FaultySite, server: PostgreSQL) -> None:
    site.start_worker()
    number = site.new_number()
    with Browser(site.web_url) as person:
        person.open("/auth/login/")
        person.send("/auth/login/", phone=number)
        code = site.sandbox.wait_for_call(number, timeout=40)["code"]
        until(lambda: site.database.is_settled(number), what="the row")
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
        assert person.send("/auth/login/code/", code=code).url == f"{site.web_url}/"
