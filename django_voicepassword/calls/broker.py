"""Hand a task to the broker within seconds, whatever state the broker is in.

Celery's own publishing waits too long while a person waits for a page: 6 s for a refused
connection, and without end for a Redis that accepts and stays silent. Here every step has a time
limit, and a connection that died since it was last used is replaced once. RabbitMQ confirms what it
took. A task that a broker takes and loses is found by ``poll_calls``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from celery import Celery, Task
from kombu import pools
from kombu.connection import Connection

#: Seconds to connect, and to wait for each answer. Handing over a task takes at most three times as
#: long.
TIMEOUT = 1.5

#: A second message for one call is harmless: whoever claims its row first places it.
_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

_AMQP = {"confirm_publish": True, "read_timeout": TIMEOUT, "write_timeout": TIMEOUT}
_REDIS = {
    "socket_timeout": TIMEOUT,
    "socket_connect_timeout": TIMEOUT,
    "retry_on_timeout": False,
    "max_retries": 0,
}
#: Transport -> its time limits. The others (files, memory) have and need none.
_OPTIONS: dict[str, dict[str, Any]] = {
    "amqp": _AMQP,
    "amqps": _AMQP,
    "pyamqp": _AMQP,
    "redis": _REDIS,
    "rediss": _REDIS,
    "sentinel": _REDIS,
}
#: App and process -> its pool.
_pools: dict[tuple[Celery, int], pools.ProducerPool] = {}


def publish(task: Task, *args: int | str, **options: Any) -> None:
    """Hand ``task`` to its broker; ``options`` are those of ``apply_async``, such as ``queue``.

    Raises whatever the broker's library raises where the broker does not take it in time.
    """
    with _producers(task.app).acquire(block=True, timeout=TIMEOUT) as producer:
        task.apply_async(args, producer=producer, retry=True, retry_policy=_RETRY_POLICY, **options)


def connect(app: Celery) -> None:
    """Connect to the broker of an app, with the same time limits, and disconnect again.

    Raises whatever the broker's library raises.
    """
    # kombu's methods have no types. A copy, because the original belongs to the pool.
    connection: Any = connection_of(app)
    with connection.clone() as copy:
        copy.ensure_connection(**_RETRY_POLICY)


def _producers(app: Celery) -> pools.ProducerPool:
    """The open connections of this process to the broker of an app.

    A server may load the project, and publish, before it forks its workers. A connection that two
    processes share hangs in both. Kombu's own pools are shared by equal connections, so they would
    survive a fork. The pools of a parent are kept, and never used: closing them would close the
    parent's connections too.
    """
    key = (app, os.getpid())
    pool = _pools.get(key)
    if pool is None:
        limit = pools.get_limit()
        # Of two threads that come first, one makes the pool that both use. No lock: a fork might
        # copy it while it is held.
        pool = _pools.setdefault(key, pools.ProducerPool(connection_of(app).Pool(limit), limit))
    return pool


@lru_cache(maxsize=8)
def connection_of(app: Celery) -> Connection:
    """The connection settings of an app with our time limits. It is never opened itself."""
    usual = app.connection_for_write()
    options = {**(usual.transport_options or {}), **_OPTIONS.get(usual.transport_cls, {})}
    limited: Connection = app.connection_for_write(connect_timeout=TIMEOUT).clone(
        transport_options=options
    )
    return limited
