"""Brokers that are killed with tasks in them or lose tasks or an answer: one ring per call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.broker_proxy import BrokerProxy
from tests.faults.faulty_site import FaultySite
from tests.faults.servers import RabbitMQ, Redis
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server")


@pytest.fixture
def redis(broker: Redis) -> Iterator[Redis]:
    """The shared Redis, started again after the test."""
    yield broker
    broker.kill()
    broker.start()


def assert_all_rang_once(site: FaultySite, verifications: dict[str, str]) -> None:
    until(lambda: min(site.rings(*verifications)) > 0, what="a ring of all")
    until(lambda: site.database.is_settled(*verifications), what="an end of every call")
    assert site.rings(*verifications) == [1] * len(verifications)
    assert set(site.database.states(*verifications)) == {"placed"}
    for number, key in verifications.items():
        assert site.log_in(key, site.sandbox.calls(number)[0]["code"]).status_code == 200


def start(site: FaultySite, count: int) -> dict[str, str]:
    """Start ``count`` verifications; return number -> id."""
    numbers = [site.new_number() for _ in range(count)]
    return {number: site.start_verification(number) for number in numbers}


def assert_refused(site: FaultySite) -> str:
    """Assert that a start fails while the broker is down; return the number that was refused."""
    number = site.new_number()
    answer = site.post("verifications/", phone=number)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    (call,) = site.database.calls(number)
    assert (call.state, call.error_code) == ("refused", "broker_unavailable")
    return number


def test_redis_killed_with_tasks_in_it_loses_none(site: FaultySite, redis: Redis) -> None:
    verifications = start(site, 5)
    redis.kill()
    refused = assert_refused(site)
    redis.start()
    assert site.messages() == (5, 0)
    site.start_worker()
    assert_all_rang_once(site, verifications)
    assert site.rings(refused) == [0]


def test_redis_killed_under_a_worker_rings_each_once(site: FaultySite, redis: Redis) -> None:
    site.sandbox.hold()
    site.start_worker()
    verifications = start(site, 3)
    until(lambda: sum(site.rings(*verifications)) == 2, what="a ring of two")
    redis.kill()
    site.sandbox.release()
    # The worker may have taken the third task as well.
    until(lambda: site.database.states(*verifications).count("placed") >= 2, what="the rows of two")
    redis.start()
    # A worker exits when Redis goes away under its tasks; a supervisor would start it again.
    site.kill_worker("worker")
    site.start_worker()
    verifications |= start(site, 1)
    assert_all_rang_once(site, verifications)
    until(lambda: site.messages() == (0, 0), what="the end of every task")
    assert site.rings(*verifications) == [1, 1, 1, 1]


def test_when_redis_comes_back_empty_lost_tasks_are_queued_again(
    site: FaultySite, redis: Redis
) -> None:
    """A second task for the same call does nothing."""
    verifications = start(site, 3)
    redis.kill()
    redis.delete_data()
    redis.start()
    assert site.messages() == (0, 0)
    site.start_worker()
    site.enqueue("poll_calls", times=3)
    site.settle(*verifications)
    assert_all_rang_once(site, verifications)


def test_a_call_is_not_refused_when_the_answer_of_the_broker_is_lost(site: FaultySite) -> None:
    """The broker has the task and a worker runs it before the web process gives up."""
    with BrokerProxy(site.broker) as proxy:
        site.restart("web", CELERY_BROKER_URL=proxy.url)
        try:
            site.start_worker()
            verifications = start(site, 1)
            site.sandbox.hold()
            proxy.mute_after = b"LPUSH"
            verifications |= start(site, 1)
            assert site.database.states(*verifications)[-1] == "placing"
        finally:
            site.sandbox.release()
            site.restart("web")
    assert_all_rang_once(site, verifications)


@pytest.mark.program("rabbitmq-server", "epmd")
def test_rabbitmq_killed_with_tasks_in_it_and_then_the_worker_rings_each_once(
    site: FaultySite,
) -> None:
    with RabbitMQ() as rabbitmq:
        site.restart("web", CELERY_BROKER_URL=rabbitmq.url)
        try:
            verifications = start(site, 3)
            rabbitmq.kill()
            refused = assert_refused(site)
            rabbitmq.start()
            site.sandbox.hold()
            site.start_worker("first", broker=rabbitmq.url)
            until(lambda: sum(site.rings(*verifications)) == 2, what="a ring of two")
            site.kill("first")
            site.sandbox.release()
            # Unacknowledged tasks are redelivered at once: the third call is placed, the two
            # that were claimed are left alone.
            site.start_worker("second", broker=rabbitmq.url)
            until(lambda: min(site.rings(*verifications)) > 0, what="a ring of the third")
            until(
                lambda: site.log().count("left alone") >= 2 or sum(site.rings(*verifications)) > 3,
                what="leaving two alone",
            )
        finally:
            site.restart("web")
        assert sorted(site.database.states(*verifications)) == ["placed", "placing", "placing"]
        assert site.rings(refused, *verifications) == [0, 1, 1, 1]
