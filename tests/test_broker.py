"""A broker that is down, silent or back again: the task is handed over, or refused within seconds."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
from celery import Celery, Task, current_app
from django.test import Client
from kombu import Connection

from django_voicepassword import verifications
from django_voicepassword.calls import broker
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import CallRequest, LimitCounter, Verification

#: What a person may wait for, with room for a slow machine.
SECONDS = 3 * broker.TIMEOUT + 1.5

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
    """Stands between us and a broker, to be cut, silenced and restored. ``target`` None: accepts,
    and is silent.
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
        """Refuse, and cut what is open."""
        # shutdown wakes the thread that accepts; close alone leaves it, and the port, as they are.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self._connections.clear()

    def up(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

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

    @app.task(name="test.place", ignore_result=True)
    def place(call_id: int) -> None:
        """Never run: only its messages are looked at."""

    return app, place


@pytest.fixture(params=BROKERS)
def behind_a_proxy(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, Task, str]]:
    """The proxy before a real broker, a task that goes through it, and the broker's own address."""
    address, port = request.param
    proxy = Proxy(port)
    app, task = _app(address.format(port=proxy.port))
    direct = address.format(port=port)
    yield proxy, task, direct
    proxy.flows.set()
    proxy.down()
    with Connection(direct) as connection:
        connection.default_channel.queue_delete(app.conf.task_default_queue)


def _received(address: str, queue: str) -> list[int]:
    """The arguments of every message that waits in the queue."""
    found = []
    with Connection(address) as connection:
        simple = connection.SimpleQueue(queue)
        while True:
            try:
                message = simple.get(timeout=0.5)
            except simple.Empty:
                break
            found.append(message.payload[0][0])
            message.ack()
        simple.close()
    return found


def _refused(task: Task) -> float:
    """How long it took until the broker was given up."""
    began = time.monotonic()
    with pytest.raises(Exception):  # noqa: B017 (each broker has errors of its own)
        broker.publish(task, 1)
    return time.monotonic() - began


def test_a_task_is_handed_over_through_a_connection_that_died(
    behind_a_proxy: tuple[Proxy, Task, str],
) -> None:
    proxy, task, direct = behind_a_proxy
    broker.publish(task, 1)
    proxy.down()
    assert _refused(task) < SECONDS
    proxy.up()
    broker.publish(task, 2)
    proxy.down()
    proxy.up()
    # The pool still holds the connection that was cut.
    broker.publish(task, 3)
    assert _received(direct, task.app.conf.task_default_queue) == [1, 2, 3]


def test_a_broker_that_falls_silent_is_given_up(behind_a_proxy: tuple[Proxy, Task, str]) -> None:
    proxy, task, _ = behind_a_proxy
    broker.publish(task, 1)
    proxy.flows.clear()
    assert _refused(task) < SECONDS
    proxy.flows.set()


@pytest.mark.parametrize(
    "scheme", ["amqp://guest:guest@127.0.0.1:{port}//", "redis://127.0.0.1:{port}/0"]
)
def test_a_broker_that_accepts_and_never_speaks_is_given_up(scheme: str) -> None:
    proxy = Proxy(None)
    _, task = _app(scheme.format(port=proxy.port))
    assert _refused(task) < SECONDS
    assert _refused(task) < SECONDS
    proxy.down()


@pytest.fixture
def refused_broker() -> Iterator[None]:
    """The Celery app of the project has a broker that is not there."""
    proxy = Proxy(None)
    proxy.down()
    usual = current_app._get_current_object()
    app, _ = _app(f"amqp://guest:guest@127.0.0.1:{proxy.port}//")
    app.set_current()
    yield
    usual.set_current()


@pytest.mark.django_db(transaction=True)
def test_a_caller_is_told_at_once_and_nothing_stays_counted(settings, refused_broker: None) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "DISPATCH": "celery"}
    began = time.monotonic()
    for _ in range(5):
        # More often than the limit of sends to one number: a send that never left is given back.
        with pytest.raises(Unavailable):
            verifications.start("79990000001")
    assert time.monotonic() - began < SECONDS
    assert set(CallRequest.objects.values_list("state", "error_code")) == {
        ("refused", "broker_unavailable")
    }
    assert set(Verification.objects.values_list("sends", flat=True)) == {0}
    assert not [row for row in LimitCounter.objects.values_list("events", flat=True) if "[[" in row]


@pytest.mark.django_db(transaction=True)
def test_the_api_answers_503_and_says_so(settings, refused_broker: None, client: Client) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "DISPATCH": "celery"}
    answer = client.post(
        "/api/verifications/", {"phone": "79990000001"}, content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    page = client.post("/auth/login/", {"phone": "79990000001"})
    assert page.status_code == 503
    assert "Try again in a minute" in page.content.decode()
