"""A task is published or refused within seconds when the broker is down, silent or restarted."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from celery import Celery, Task, current_app
from django.test import Client
from kombu.connection import Connection

from django_voicepassword import verifications
from django_voicepassword.calls import broker
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from tests.broker_messages import take_messages
from tests.ports import closed_port

#: How long a person may wait for the answer, with a margin for a slow machine.
MAX_SECONDS = 3 * broker.TIMEOUT + 1.5

BROKERS = [
    pytest.param(
        ("amqp://guest:guest@127.0.0.1:{port}//", 5672),
        id="rabbitmq",
        marks=pytest.mark.service("rabbitmq"),
    ),
    pytest.param(
        ("redis://127.0.0.1:{port}/0", 6379), id="redis", marks=pytest.mark.service("redis")
    ),
]


class Proxy:
    """A TCP proxy before a broker that a test can take down, silence and restore.

    Without a target port it accepts connections and stays silent.
    """

    def __init__(self, target: int | None) -> None:
        self._target = target
        self._connections: list[socket.socket] = []
        self.flows = threading.Event()
        self.flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def down(self) -> None:
        """Refuse new connections and cut the open ones. The port stays taken."""
        self.close()
        # It is bound and does not listen, so that no other program gets the port meanwhile.
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))

    def up(self) -> None:
        """Accept connections again, on the same port."""
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Cut all connections, and give the port back."""
        # shutdown() wakes the thread in accept(); with close() alone it goes on listening.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._connections.append(near)
            if self._target is None:
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._connections.append(far)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.flows.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def _app(address: str) -> tuple[Celery, Task]:
    app = Celery(f"app-{uuid.uuid4().hex}", broker=address, set_as_current=False)
    app.conf.task_default_queue = f"voicepassword-test-{uuid.uuid4().hex}"

    @app.task(name="test.place", ignore_result=True, shared=False)
    def place(call_id: int) -> None:
        """Never executed: the tests only read its messages from the queue."""

    return app, place


@pytest.fixture(params=BROKERS)
def behind_a_proxy(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, Task, str]]:
    """A proxy before a real broker, a task that is published through it, and the broker's URL."""
    address, port = request.param
    proxy = Proxy(port)
    app, task = _app(address.format(port=proxy.port))
    direct = address.format(port=port)
    yield proxy, task, direct
    proxy.flows.set()
    proxy.close()
    with Connection(direct) as connection:
        connection.default_channel.queue_delete(app.conf.task_default_queue)


def _seconds_until_refused(task: Task) -> float:
    """Publish, and return how long it took until the broker was given up."""
    started = time.monotonic()
    with pytest.raises(Exception):  # noqa: B017 (each broker has its own errors)
        broker.publish(task, 1)
    return time.monotonic() - started


def test_a_task_is_published_after_its_pooled_connection_died(
    behind_a_proxy: tuple[Proxy, Task, str],
) -> None:
    proxy, task, direct = behind_a_proxy
    broker.publish(task, 1)
    proxy.down()
    assert _seconds_until_refused(task) < MAX_SECONDS
    proxy.up()
    broker.publish(task, 2)
    proxy.down()
    proxy.up()
    # The connection pool still holds the connection that was cut.
    broker.publish(task, 3)
    assert take_messages(direct, task.app.conf.task_default_queue) == [1, 2, 3]


def test_a_broker_that_stops_answering_is_given_up(behind_a_proxy: tuple[Proxy, Task, str]) -> None:
    proxy, task, _ = behind_a_proxy
    broker.publish(task, 1)
    proxy.flows.clear()
    assert _seconds_until_refused(task) < MAX_SECONDS
    proxy.flows.set()


@pytest.mark.parametrize(
    "scheme", ["amqp://guest:guest@127.0.0.1:{port}//", "redis://127.0.0.1:{port}/0"]
)
def test_a_broker_that_accepts_and_never_answers_is_given_up(scheme: str) -> None:
    proxy = Proxy(None)
    _, task = _app(scheme.format(port=proxy.port))
    assert _seconds_until_refused(task) < MAX_SECONDS
    assert _seconds_until_refused(task) < MAX_SECONDS
    proxy.close()


@pytest.fixture
def refused_broker() -> Iterator[None]:
    """The current Celery app has a broker that refuses connections."""
    project_app = current_app._get_current_object()
    with closed_port() as port:
        app, _ = _app(f"amqp://guest:guest@127.0.0.1:{port}//")
        app.set_current()
        yield
    project_app.set_current()


@pytest.mark.django_db(transaction=True)
def test_a_start_is_refused_at_once_and_nothing_stays_counted(
    settings: Any, refused_broker: None
) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "DISPATCH": "celery"}
    started = time.monotonic()
    for _ in range(5):
        # More often than the limit for one number allows: a send that never left is given back.
        with pytest.raises(Unavailable):
            verifications.start("79990000001")
    assert time.monotonic() - started < MAX_SECONDS
    assert set(CallRequest.objects.values_list("state", "error_code")) == {
        ("refused", "broker_unavailable")
    }
    assert set(Verification.objects.values_list("sends", flat=True)) == {0}
    counters = LimitCounter.objects.exclude(key__startswith="guard:")
    assert not [events for events in counters.values_list("events", flat=True) if "[[" in events]


@pytest.mark.django_db(transaction=True)
def test_the_api_and_the_page_answer_503_while_the_broker_is_down(
    settings: Any, refused_broker: None, client: Client
) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "DISPATCH": "celery"}
    response = client.post(
        "/api/verifications/", {"phone": "79990000001"}, content_type="application/json"
    )
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    page = client.post("/auth/login/", {"phone": "79990000001"})
    assert page.status_code == 503
    assert "Try again in a minute" in page.content.decode()
