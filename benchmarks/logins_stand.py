"""What ``benchmarks.logins`` measures: a site as processes, on a PostgreSQL and a broker that
nobody else uses.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import psycopg
from processes import Site, free_port

from tests.faults.servers import PostgreSQL, RabbitMQ, Redis

ROOT = Path(__file__).parents[1]
#: Each has a role in the database, by which its statements are counted.
ROLES = ("web", "worker")
#: What each limit allows here: more than ever happens.
ALLOWED = {
    "phone": ["3/10m", "10/d"],
    "phone_guesses": ["15/d"],
    "ip": ["20/h"],
    "prefix": ["10000/h"],
    "site": ["10000000/h", "100000000/d"],
}


class Database(PostgreSQL):
    """Everything is on the disk before it is answered, as a site has it."""

    def command(self) -> list[str]:
        options = {
            "fsync": "on",
            "shared_buffers": "1GB",
            "max_wal_size": "8GB",
            "max_connections": "300",
            "shared_preload_libraries": "pg_stat_statements",
            # Each savepoint has a name of its own.
            "pg_stat_statements.max": "200000",
        }
        return [
            *super().command(),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ]

    def start(self) -> None:
        super().start()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            for role in ROLES:
                connection.execute(f"CREATE ROLE {role} SUPERUSER LOGIN")

    def url_of(self, role: str) -> str:
        return self.url.replace(f"//{self.USER}@", f"//{role}@")


class QuickRedis(Redis):
    """Written to the disk each second, as Redis advises."""

    def command(self) -> list[str]:
        return ["everysec" if word == "always" else word for word in super().command()]


class Stand(Site):
    """``given``: the arguments of ``benchmarks.logins``. Parts are named as in docs/deployment.md."""

    def __init__(self, var: Path, database: Database, broker: str, given: Any, log: Any) -> None:
        limits = {name: rates if name in given.limits else [] for name, rates in ALLOWED.items()}
        keys = {
            "LIMITS": limits,
            "TRUSTED_PROXIES": 1,
            "DAILY_BUDGET": 10**9 if "budget" in given.limits else None,
        }
        environment = {
            "CELERY_BROKER_URL": broker,
            "DATABASE_URL": database.url,
            "DEBUG": "0",
            "DJANGO_SETTINGS_MODULE": "benchmarks.logins_site",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
        }
        super().__init__(var, free_port(), free_port(), keys, log=log, environment=environment)
        self.pipe = var / "rings"
        provider = [
            "-m",
            "benchmarks.logins_provider",
            str(self._ports["sandbox"]),
            str(self.pipe),
            str(given.latency),
        ]
        address = self.web_url.removeprefix("http://")
        web = [
            "-m",
            "gunicorn",
            "config.wsgi",
            f"--bind={address}",
            f"--workers={given.web}",
            f"--threads={given.web_threads}",
        ]
        web += ["--worker-class=gthread", "--log-level=warning"]
        worker = [
            "-m",
            "celery",
            "--app=config",
            "worker",
            "--queues=calls",
            f"--pool={given.pool}",
        ]
        worker += [f"--concurrency={given.worker_threads}"]
        self._commands = {
            "sandbox": [sys.executable, *provider],
            "web": self._as("web", database, web),
        }
        for number in range(given.workers):
            self._commands[f"worker{number}"] = self._as(
                "worker", database, [*worker, f"--hostname=calls{number}@%h"]
            )

    def __enter__(self) -> Stand:
        self.var.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.pipe)
        super().__enter__()
        return self

    def processes(self) -> dict[str, list[int]]:
        """Part -> the processes that were started for it."""
        parts: dict[str, list[int]] = {}
        for name, process in self._processes.items():
            parts.setdefault(name.rstrip("0123456789"), []).append(process.pid)
        return parts

    def _as(self, role: str, database: Database, words: list[str]) -> list[str]:
        return ["env", f"DATABASE_URL={database.url_of(role)}", sys.executable, *words]


def broker_of(name: str) -> Any:
    return {"redis": QuickRedis, "rabbitmq": RabbitMQ}[name]()


def address_of(broker: Any) -> str:
    return broker.url if isinstance(broker, RabbitMQ) else broker.url()
