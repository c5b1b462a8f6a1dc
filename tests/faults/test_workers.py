"""Workers killed before, during and after a request, and one task delivered many times.

Each call rings once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.broker_proxy import BrokerProxy
from tests.faults.faulty_site import FaultySite
from tests.faults.provider import fake_provider
from tests.waiting import until

pytestmark = [
    pytest.mark.program("redis-server"),
    pytest.mark.parametrize("pool", ["prefork", "threads"]),
]


def test_a_worker_killed_before_and_during_a_request_rings_each_once(
    site: FaultySite, pool: str
) -> None:
    """Two calls occupy the worker; it has taken the third task and not begun it."""
    site.sandbox.hold()
    site.start_worker("first", pool)
    in_request = [site.new_number(), site.new_number()]
    keys = [site.start_verification(number) for number in in_request]
    until(lambda: site.rings(*in_request) == [1, 1], what="a ring of both")
    numbers = [*in_request, site.new_number()]
    keys.append(site.start_verification(numbers[-1]))
    until(lambda: site.messages() == (0, 3), what="taking the third task")
    assert site.database.states(*numbers) == ["placing", "placing", "queued"]

    site.kill_worker("first")
    site.sandbox.release()
    site.start_worker("second", pool)
    # All three tasks are redelivered; only the one that was not begun is placed.
    until(lambda: site.rings(numbers[-1]) == [1], what="a ring of the third")
    until(lambda: site.messages() == (0, 0), what="the end of every task")
    assert site.database.states(*in_request) == ["placing", "placing"]
    site.settle(*numbers)
    assert site.database.states(*in_request) == ["unknown", "unknown"]
    assert site.rings(*numbers) == [1, 1, 1]
    for number, key in zip(numbers, keys, strict=True):
        assert site.log_in(key, site.sandbox.calls(number)[0]["code"]).status_code == 200


@contextmanager
def _locked(site: FaultySite) -> Iterator[None]:
    """Hold the write lock of SQLite."""
    connection = sqlite3.connect(site.var / "db.sqlite3", timeout=20, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def test_a_worker_killed_between_the_answer_and_its_row_leaves_the_call_unknown(
    site: FaultySite, pool: str
) -> None:
    number = site.new_number()
    with fake_provider() as provider:
        provider.may_answer.clear()
        site.start_worker("first", pool, API_URL=provider.url)
        key = site.start_verification(number)
        until(lambda: provider.rings[number], what="a ring")
        with _locked(site):
            provider.may_answer.set()
            until(lambda: number in provider.answered, what="the answer")
            site.kill_worker("first")
        assert site.database.states(number) == ["placing"]
        site.start_worker("second", pool, API_URL=provider.url)
        until(lambda: site.messages() == (0, 0), what="the end of the task")
        site.settle(number)
        (call,) = site.database.calls(number)
        assert (call.state, call.error_code) == ("unknown", "worker_lost")
        assert provider.rings[number] == 1
        assert site.log_in(key, provider.codes[number]).status_code == 200


def test_a_worker_killed_after_the_row_and_before_the_acknowledgement_rings_once(
    site: FaultySite, pool: str
) -> None:
    """The acknowledgement is lost, so the task is redelivered."""
    number = site.new_number()
    with BrokerProxy(site.broker) as proxy:
        site.sandbox.hold()
        site.start_worker("first", pool, broker=proxy.url)
        key = site.start_verification(number)
        call = site.sandbox.wait_for_call(number, timeout=40)
        proxy.hold()
        site.sandbox.release()
        until(lambda: site.database.is_settled(number), what="the row")
        assert site.messages() == (0, 1)
        site.kill_worker("first")
    site.start_worker("second", pool)
    until(lambda: site.messages() == (0, 0), what="the end of the task")
    assert site.rings(number) == [1]
    (row,) = site.database.calls(number)
    until(lambda: f"call {row.pk} is not queued: left alone" in site.log(), what="leaving it alone")
    assert site.log_in(key, call["code"]).status_code == 200


def test_one_task_delivered_twenty_times_to_two_workers_rings_once(
    site: FaultySite, pool: str
) -> None:
    number = site.new_number()
    key = site.start_verification(number)
    (call,) = site.database.calls(number)
    site.enqueue("place_call", call.pk, times=19)
    assert site.messages() == (20, 0)
    # The first request is held until all other tasks have been taken.
    site.sandbox.hold()
    site.start_worker("first", pool)
    site.start_worker("second", "threads")
    sandbox_call = site.sandbox.wait_for_call(number, timeout=40)
    until(lambda: site.messages()[0] == 0, what="taking every task")
    until(
        lambda: site.log().count(f"call {call.pk} is ") >= 19 or site.rings(number) != [1],
        what="leaving it alone",
    )
    assert site.rings(number) == [1]
    site.sandbox.release()
    until(lambda: site.messages() == (0, 0), what="the end of every task")
    assert site.rings(number) == [1]
    assert site.log_in(key, sandbox_call["code"]).status_code == 200
