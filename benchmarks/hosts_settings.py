"""Settings of the hosts of ``benchmarks.hosts``: those of ``benchmarks.logins``, behind PgBouncer
and with a broker that notices within seconds that a host has gone.
"""

from __future__ import annotations

from benchmarks.hosts_network import HOST_ADDRESS
from benchmarks.logins_settings import *  # noqa: F403
from benchmarks.logins_settings import DATABASES
from django_voicepassword.provider import client
from django_voicepassword.schedule import BEAT_SCHEDULE

DATABASES["default"] |= {
    "DISABLE_SERVER_SIDE_CURSORS": True,
    "OPTIONS": {
        "connect_timeout": 5,
        # A connection whose other side is gone is noticed after 20 seconds, not after hours.
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    },
}
# RabbitMQ gives the tasks of a worker that is gone to another one after two heartbeats; and a
# worker takes no more tasks than it has threads.
CELERY_BROKER_HEARTBEAT = 10
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A worker that comes back finds its own control queue locked (RESOURCE_LOCKED) until RabbitMQ has
# noticed that its old connection is dead. Without these it would end.
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULE = {
    name: entry for name, entry in BEAT_SCHEDULE.items() if name == "voicepassword-poll-calls"
}

_is_loopback = client.is_loopback


def _is_this_machine(host: str) -> bool:
    """Whether plain http to ``host`` stays on this machine, as all of the benchmark's network."""
    return host.startswith(HOST_ADDRESS.format("")) or _is_loopback(host)


# The client refuses plain http to other hosts.
client.is_loopback = _is_this_machine
