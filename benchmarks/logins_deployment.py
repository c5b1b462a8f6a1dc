"""The site that ``benchmarks.logins`` measures: processes, a new PostgreSQL and a new broker."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import psycopg
from processes import Site, free_port

from tests.faults.servers import PostgreSQL, RabbitMQ, Redis

ROOT = Path(__file__).parents[1]
#: Each part has a database role, so that its statements can be counted.
ROLES = ("web", "worker")
#: The rates of each limit. No run reaches them.
ALLOWED = {
    "phone": ["3/10m", "10/d"],
    "phone_guesses": ["15/d"],
    "ip": ["20/h"],
    "prefix": ["10000/h"],
    "site": ["10000000/h", "100000000/d"],
}


class Database(PostgreSQL):
    """A commit waits for the disk, as on a real site."""

    def command(self) -> list[str]:
        options = {
            "fsync": "on",
            "shared_buffers": "1GB",
            "max_wal_size": "8GB",
            "max_connections": "300",
            "shared_preload_libraries": "pg_stat_statements",
            # Django gives each savepoint another name, so each is a statement of its own here.
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
    """Redis that writes to the disk every second, as its documentation recommends."""

    def command(self) -> list[str]:
        return ["everysec" if word == "always" else word for word in super().command()]


class Deployment(Site):
    """``options``: the arguments of ``benchmarks.logins``. The processes run the commands of
    docs/deployment.md.
    """

    def __init__(self, var: Path, database: Database, broker: str, options: Any, log: Any) -> None:
        limits = {name: rates if name in options.limits else [] for name, rates in ALLOWED.items()}
        keys = {
            "LIMITS": limits,
            "TRUSTED_PROXIES": 1,
            "DAILY_BUDGET": 10**9 if "budget" in options.limits else None,
        }
        environment = {
            "CELERY_BROKER_URL": broker,
            "DATABASE_URL": database.url,
            "DEBUG": "0",
            "DJANGO_SETTINGS_MODULE": "benchmarks.logins_settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
        }
        self._options = options
        super().__init__(var, free_port(), free_port(), keys, log=log, environment=environment)
        self.pipe = var / "rings"
        provider = [
            "-m",
            "benchmarks.logins_provider",
            str(self._ports["sandbox"]),
            str(self.pipe),
            str(options.latency),
        ]
        worker = [
            "-m",
            "celery",
            "--app=config",
            "worker",
            "--queues=calls",
            f"--pool={options.pool}",
        ]
        worker += [f"--concurrency={options.worker_threads}"]
        self._commands = {
            "sandbox": [sys.executable, *provider],
            "web": self._as("web", database, _web_command(options, self._ports["web"])),
        }
        for number in range(options.workers):
            self._commands[f"worker{number}"] = self._as(
                "worker", database, [*worker, f"--hostname=calls{number}@%h"]
            )

    def __enter__(self) -> Deployment:
        self.var.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.pipe)
        super().__enter__()
        return self

    def processes(self) -> dict[str, list[int]]:
        """Map each part to the processes that were started for it."""
        parts: dict[str, list[int]] = {}
        for name, process in self._processes.items():
            parts.setdefault(name.rstrip("0123456789"), []).append(process.pid)
        return parts

    def _as(self, role: str, database: Database, words: list[str]) -> list[str]:
        settings = json.dumps(_database_settings(self._options, role))
        variables = [f"DATABASE_URL={database.url_of(role)}", f"BENCHMARK_DATABASE={settings}"]
        return ["env", *variables, sys.executable, *words]


def _web_command(options: Any, port: int) -> list[str]:
    """The web server: ``options.web`` processes with ``options.web_threads`` threads each, or as
    many processes without threads, or as many event loops.
    """
    if options.server == "asgi":
        # --factory: the application is what Django's function returns.
        words = ["-m", "uvicorn", "django.core.asgi:get_asgi_application", "--factory"]
        words += ["--host=127.0.0.1", f"--port={port}", f"--workers={options.web}"]
        return [*words, "--log-level=warning", "--no-access-log"]
    is_threaded = options.server == "threads"
    processes = options.web if is_threaded else options.web * options.web_threads
    words = ["-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}", f"--workers={processes}"]
    kind = ["gthread", f"--threads={options.web_threads}"] if is_threaded else ["sync"]
    # --preload: processes that start while people log in would load the project at their first
    # request.
    return [*words, f"--worker-class={kind[0]}", *kind[1:], "--preload", "--log-level=warning"]


def _database_settings(options: Any, role: str) -> dict[str, Any]:
    """What is added to DATABASES for the web server or a worker."""
    of_driver: dict[str, Any] = {}
    if options.prepared:
        of_driver |= {"server_side_binding": True, "prepare_threshold": 3}
    if options.server != "asgi" or role != "web":
        return {"OPTIONS": of_driver}
    # Under ASGI each request has a thread of its own, so a connection of its own without a pool.
    pool = {"min_size": 1, "max_size": options.web_threads, "timeout": 30}
    return {"CONN_MAX_AGE": 0, "OPTIONS": {**of_driver, "pool": pool}}


def broker_of(name: str) -> Any:
    return {"redis": QuickRedis, "rabbitmq": RabbitMQ}[name]()


def address_of(broker: Any) -> str:
    return broker.url if isinstance(broker, RabbitMQ) else broker.url()
