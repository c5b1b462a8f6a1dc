"""A server that loads the project before it forks: each process has its own connections."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from kombu.connection import Connection

from tests.broker_messages import take_messages

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[1]

#: Publishes in a parent, in two of its children at once, and in the parent again. A child that
#: hangs is killed by its alarm. The second child ends as a program usually does, so that it
#: finalizes what it has inherited.
PROGRAM = """
import os, signal, sys
import django
django.setup()
from celery import Celery
from django_voicepassword.calls import broker

app = Celery("site", broker=sys.argv[1], set_as_current=False)
app.conf.task_default_queue = sys.argv[2]


@app.task(name="place", ignore_result=True)
def place(call_id):
    pass


def child(number):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(15)
    broker.publish(place, number)
    broker.publish(place, number)
    if number == 1:
        os._exit(0)
    sys.exit()


signal.alarm(40)
broker.publish(place, 0)
children = [child(1), child(2)]
statuses = [os.waitpid(pid, 0)[1] for pid in children]
broker.publish(place, 3)
broker.publish(place, 3)
print(statuses)
"""


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("amqp://guest:guest@127.0.0.1:5672//", marks=pytest.mark.service("rabbitmq")),
        pytest.param("redis://127.0.0.1:6379/0", marks=pytest.mark.service("redis")),
    ],
    ids=["rabbitmq", "redis"],
)
def test_a_parent_and_its_children_publish(address: str) -> None:
    queue = f"voicepassword-test-{uuid.uuid4().hex}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, address, queue],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("[0, 0]\n", 0), done.stderr
    assert sorted(received(address, queue)) == [0, 1, 1, 2, 2, 3, 3]


def received(address: str, queue: str) -> list[int]:
    """Take every message from the queue, and remove the queue."""
    arguments = take_messages(address, queue)
    with Connection(address) as connection:
        connection.default_channel.queue_delete(queue)
    return arguments
