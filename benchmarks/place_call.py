"""``place_call`` in a real Celery worker beside tasks that do less: tasks a second, by pool.

The queue is filled first. Then the worker starts to consume it, and the time is taken until the
queue is empty and the last task is acknowledged. The provider is a process on the same machine; the
broker is Redis. With ``--cpu`` it is not the time that is taken, but the processor time of the
worker's processes (Linux only).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from django.conf import settings as django_settings

from benchmarks import web
from benchmarks.databases import Database
from benchmarks.measuring import Ratio, Table, counted, progress, say
from benchmarks.provider import Provider
from benchmarks.worker import app, by_hand, empty
from django_voicepassword import tasks
from django_voicepassword.calls import placing
from django_voicepassword.models import CallRequest

#: Each run has its own queue, because a run that was stopped may have left tasks in its queue.
QUEUE = f"voicepassword_bench_{os.getpid()}"
#: Maps a pool to its concurrency, as in docs/deployment.md.
POOLS = {"threads": 8, "prefork": 4}
PATIENCE = 120


def measure(database: Database, broker: str, rounds: int, batch: int, by_cpu: bool) -> Table:
    """Drain ``rounds`` queues with ``batch`` tasks of each kind."""
    database.use()
    second = "processor second" if by_cpu else "second"
    table = Table(
        f"place_call, {database.connection.vendor}, Redis: tasks a {second}",
        *(
            "pool",
            "place_call",
            "the same rows by hand, no HTTP",
            "empty task",
            "to the rows by hand",
            "to the empty task",
        ),
        "statements",
    )
    kinds: dict[str, Any] = {"place_call": tasks.place_call, "by_hand": by_hand, "empty": empty}
    with Provider() as provider:
        own = {**django_settings.VOICEPASSWORD, "API_URL": provider.api_url}
        statements = _statements(own)
        for pool, at_once in POOLS.items():
            rates: dict[str, list[float]] = {name: [] for name in kinds}
            with _worker(pool, at_once, database, broker, own) as pid:
                clock = (lambda: _processor_time(pid)) if by_cpu else time.perf_counter
                for task in kinds.values():
                    _drain(task, batch, broker, clock)
                for number in range(rounds):
                    for name, task in kinds.items():
                        rates[name].append(batch / _drain(task, batch, broker, clock))
                    progress(f"place_call, {pool}: round {number + 1} of {rounds}")
            progress("")
            table.add(
                f"{pool}, {at_once}",
                *(f"{statistics.median(of_kind):.0f}" for of_kind in rates.values()),
                Ratio.of(rates["place_call"], rates["by_hand"]),
                Ratio.of(rates["place_call"], rates["empty"]),
                statements,
            )
            say(f"place_call, {pool}: done")
    return table


def _statements(own: dict[str, Any]) -> int:
    """Count the statements of one call that is placed in this process."""
    from django.test import override_settings

    (key,) = _queued(1)
    with override_settings(VOICEPASSWORD=own), counted() as seen:
        placing.place(key)
    assert CallRequest.objects.get(pk=key).state == "placed"
    return len(seen)


def _queued(count: int) -> list[int]:
    calls = web.calls(count, state="queued")
    return [call.pk for call in calls]


def _processor_time(pid: int) -> float:
    """Return the processor time of a process and of its children, in seconds."""
    # After the name of the program, which may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_processor_time(int(child)) for child in children)


def _drain(task: Any, count: int, broker: str, clock: Callable[[], float]) -> float:
    """Seconds from the worker's first fetch from the full queue to its last acknowledgement."""
    for key in _queued(count):
        task.apply_async((key,), queue=QUEUE)
    with redis.Redis.from_url(broker) as connection:
        assert connection.llen(QUEUE) == count
        app.control.add_consumer(QUEUE, reply=False)
        while connection.llen(QUEUE) == count:
            time.sleep(0.001)
        began, ends = clock(), time.monotonic() + PATIENCE
        while connection.llen(QUEUE) or connection.hlen("unacked"):
            if time.monotonic() > ends:
                raise SystemExit("the worker does not finish its queue")
            time.sleep(0.005)
        taken = clock() - began
        app.control.cancel_consumer(QUEUE, reply=True, timeout=2, limit=1)
    return taken


@contextmanager
def _worker(
    pool: str, at_once: int, database: Database, broker: str, own: dict[str, Any]
) -> Iterator[int]:
    """Run a worker; the block gets the id of its process."""
    environment = {
        **os.environ,
        "DATABASE_URL": database.address,
        "BENCHMARK_SQLITE": "" if database.address else str(database.settings["NAME"]),
        "BENCHMARK_BROKER": broker,
        # Celery warns about a worker that runs as root.
        "PYTHONWARNINGS": "ignore",
        "BENCHMARK_VOICEPASSWORD": json.dumps(own),
    }
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "--app",
        "benchmarks.worker",
        "worker",
        "--loglevel",
        "ERROR",
    ]
    options = ["--pool", pool, "--concurrency", str(at_once), "--queues", f"{QUEUE}_idle"]
    options += ["--without-gossip", "--without-mingle"]
    process = subprocess.Popen([*command, *options], env=environment, stdout=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 60
        while not app.control.ping(timeout=1, limit=1):
            if time.monotonic() > ends or process.poll() is not None:
                raise SystemExit("the worker does not start")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
