"""Workers that are killed before, while and after they ask the provider, and one task for many of
them: one ring each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.provider import provider
from tests.faults.stage import Stage
from tests.faults.until import until
from tests.faults.wire import Wire

pytestmark = [
    pytest.mark.program("redis-server"),
    pytest.mark.parametrize("pool", ["prefork", "threads"]),
]


def test_killed_before_and_while_the_provider_is_asked(stage: Stage, pool: str) -> None:
    """Two calls fill the worker; the third one is in its hands, and not begun."""
    stage.sandbox.hold()
    stage.work("first", pool)
    asked = [stage.number(), stage.number()]
    keys = [stage.begin(number) for number in asked]
    until(lambda: stage.rings(*asked) == [1, 1], what="a ring of both")
    numbers = [*asked, stage.number()]
    keys.append(stage.begin(numbers[-1]))
    until(lambda: stage.waiting() == (0, 3), what="taking the third task")
    assert stage.books.states(*numbers) == ["placing", "placing", "queued"]

    stage.lose("first")
    stage.sandbox.release()
    stage.work("second", pool)
    # All three tasks come again; only what was not begun is placed.
    until(lambda: stage.rings(numbers[-1]) == [1], what="a ring of the third")
    until(lambda: stage.waiting() == (0, 0), what="the end of every task")
    assert stage.books.states(*asked) == ["placing", "placing"]
    stage.settle(*numbers)
    assert stage.books.states(*asked) == ["unknown", "unknown"]
    assert stage.rings(*numbers) == [1, 1, 1]
    for number, key in zip(numbers, keys, strict=True):
        assert stage.log_in(key, stage.sandbox.calls(number)[0]["code"]).status_code == 200


@contextmanager
def _locked(stage: Stage) -> Iterator[None]:
    """Nobody else can write."""
    connection = sqlite3.connect(stage.var / "db.sqlite3", timeout=20, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


def test_killed_between_the_answer_and_its_row(stage: Stage, pool: str) -> None:
    number = stage.number()
    with provider() as asked:
        asked.answers_flow.clear()
        stage.work("first", pool, API_URL=asked.url)
        key = stage.begin(number)
        until(lambda: asked.rings[number], what="a ring")
        with _locked(stage):
            asked.answers_flow.set()
            until(lambda: number in asked.answered, what="the answer")
            stage.lose("first")
        assert stage.books.states(number) == ["placing"]
        stage.work("second", pool, API_URL=asked.url)
        until(lambda: stage.waiting() == (0, 0), what="the end of the task")
        stage.settle(number)
        (call,) = stage.books.calls(number)
        assert (call.state, call.error_code) == ("unknown", "worker_lost")
        assert asked.rings[number] == 1
        assert stage.log_in(key, asked.codes[number]).status_code == 200


def test_killed_after_the_row_and_before_the_task_is_acknowledged(stage: Stage, pool: str) -> None:
    """The worker's word to the broker is lost, so the task comes again."""
    number = stage.number()
    with Wire(stage.broker) as wire:
        stage.sandbox.hold()
        stage.work("first", pool, broker=wire.url)
        key = stage.begin(number)
        call = stage.sandbox.wait_for_call(number, timeout=40)
        wire.silence()
        stage.sandbox.release()
        until(lambda: stage.books.is_settled(number), what="the row")
        assert stage.waiting() == (0, 1)
        stage.lose("first")
    stage.work("second", pool)
    until(lambda: stage.waiting() == (0, 0), what="the end of the task")
    assert stage.rings(number) == [1]
    (row,) = stage.books.calls(number)
    until(
        lambda: f"call {row.pk} is not queued: left alone" in stage.log(), what="leaving it alone"
    )
    assert stage.log_in(key, call["code"]).status_code == 200


def test_one_task_delivered_twenty_times_to_two_workers(stage: Stage, pool: str) -> None:
    number = stage.number()
    key = stage.begin(number)
    (call,) = stage.books.calls(number)
    stage.hand_in("place_call", call.pk, times=19)
    assert stage.waiting() == (20, 0)
    # Whoever asked first is kept waiting while all the others come.
    stage.sandbox.hold()
    stage.work("first", pool)
    stage.work("second", "threads")
    rang = stage.sandbox.wait_for_call(number, timeout=40)
    until(lambda: stage.waiting()[0] == 0, what="taking every task")
    until(
        lambda: stage.log().count(f"call {call.pk} is ") >= 19 or stage.rings(number) != [1],
        what="leaving it alone",
    )
    assert stage.rings(number) == [1]
    stage.sandbox.release()
    until(lambda: stage.waiting() == (0, 0), what="the end of every task")
    assert stage.rings(number) == [1]
    assert stage.log_in(key, rang["code"]).status_code == 200
