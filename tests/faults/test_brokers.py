"""Brokers that are killed with tasks in them, lose them, or lose their answer: no ring is lost and
none comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.servers import RabbitMQ, Redis
from tests.faults.stage import Stage
from tests.faults.until import until
from tests.faults.wire import Wire

pytestmark = pytest.mark.program("redis-server")


@pytest.fixture
def redis(broker: Redis) -> Iterator[Redis]:
    """It runs again afterwards, whatever happens."""
    yield broker
    broker.kill()
    broker.start()


def assert_all_rang_once(stage: Stage, begun: dict[str, str]) -> None:
    until(lambda: min(stage.rings(*begun)) > 0, what="a ring of all")
    until(lambda: stage.books.is_settled(*begun), what="an end of every call")
    assert stage.rings(*begun) == [1] * len(begun)
    assert set(stage.books.states(*begun)) == {"placed"}
    for number, key in begun.items():
        assert stage.log_in(key, stage.sandbox.calls(number)[0]["code"]).status_code == 200


def begin(stage: Stage, count: int) -> dict[str, str]:
    """Number -> id of so many verifications."""
    return {number: stage.begin(number) for number in [stage.number() for _ in range(count)]}


def assert_refused(stage: Stage) -> str:
    """While the broker is down nobody is promised anything; the number that was refused."""
    number = stage.number()
    answer = stage.ask("verifications/", phone=number)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    (call,) = stage.books.calls(number)
    assert (call.state, call.error_code) == ("refused", "broker_unavailable")
    return number


def test_redis_is_killed_with_tasks_in_it(stage: Stage, redis: Redis) -> None:
    begun = begin(stage, 5)
    redis.kill()
    refused = assert_refused(stage)
    redis.start()
    assert stage.waiting() == (5, 0)
    stage.work()
    assert_all_rang_once(stage, begun)
    assert stage.rings(refused) == [0]


def test_redis_is_killed_under_a_worker_that_asks(stage: Stage, redis: Redis) -> None:
    stage.sandbox.hold()
    stage.work()
    begun = begin(stage, 3)
    until(lambda: sum(stage.rings(*begun)) == 2, what="a ring of two")
    redis.kill()
    stage.sandbox.release()
    until(lambda: stage.books.states(*begun).count("placed") == 2, what="the rows of two")
    redis.start()
    # Kombu's worker ends itself when its Redis goes away under its tasks: whoever watches over it
    # starts it anew.
    stage.lose("worker")
    stage.work()
    begun |= begin(stage, 1)
    assert_all_rang_once(stage, begun)
    until(lambda: stage.waiting() == (0, 0), what="the end of every task")
    assert stage.rings(*begun) == [1, 1, 1, 1]


def test_redis_comes_back_empty(stage: Stage, redis: Redis) -> None:
    """A lost task is handed in again, and a second one for the same call does nothing."""
    begun = begin(stage, 3)
    redis.kill()
    redis.forget()
    redis.start()
    assert stage.waiting() == (0, 0)
    stage.work()
    stage.hand_in("poll_calls", times=3)
    stage.settle(*begun)
    assert_all_rang_once(stage, begun)


def test_the_answer_of_the_broker_is_lost(stage: Stage) -> None:
    """It took the task, and a worker has it already when the web gives the broker up: the person is
    rung, and told so.
    """
    with Wire(stage.broker) as wire:
        stage.restart("web", CELERY_BROKER_URL=wire.url)
        try:
            stage.work()
            begun = begin(stage, 1)
            stage.sandbox.hold()
            wire.mute_after = b"LPUSH"
            begun |= begin(stage, 1)
            assert stage.books.states(*begun)[-1] == "placing"
        finally:
            stage.sandbox.release()
            stage.restart("web")
    assert_all_rang_once(stage, begun)


@pytest.mark.program("rabbitmq-server", "epmd")
def test_rabbitmq_is_killed_with_tasks_in_it_and_then_the_worker(stage: Stage) -> None:
    with RabbitMQ() as rabbitmq:
        stage.restart("web", CELERY_BROKER_URL=rabbitmq.url)
        try:
            begun = begin(stage, 3)
            rabbitmq.kill()
            refused = assert_refused(stage)
            rabbitmq.start()
            stage.sandbox.hold()
            stage.work("first", broker=rabbitmq.url)
            until(lambda: sum(stage.rings(*begun)) == 2, what="a ring of two")
            stage.kill("first")
            stage.sandbox.release()
            # What was not acknowledged comes again at once: the third is placed, the two are left
            # alone.
            stage.work("second", broker=rabbitmq.url)
            until(lambda: min(stage.rings(*begun)) > 0, what="a ring of the third")
            until(
                lambda: stage.log().count("left alone") >= 2 or sum(stage.rings(*begun)) > 3,
                what="leaving two alone",
            )
        finally:
            stage.restart("web")
        assert sorted(stage.books.states(*begun)) == ["placed", "placing", "placing"]
        assert stage.rings(refused, *begun) == [0, 1, 1, 1]
