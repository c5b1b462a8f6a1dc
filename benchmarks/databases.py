"""New databases for the measurements, each with a history of another length, dropped at the end.

Each database has its own connection. ``Database.use`` puts it under the alias "default", so that
switching from one to the other takes no time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from benchmarks import history
from benchmarks.daily_sync import PRAGMAS
from benchmarks.measuring import say
from tests.settings import _database

NAME = "voicepassword_bench"


class Database:
    """One database and the connection to it.

    ``address``: of the server, without a database name; empty for an SQLite file (WAL). ``keep``:
    do not drop the database, so that the next run uses it again. ``durable``: a commit waits until
    PostgreSQL has written it to the disk. SQLite in this mode never waits; MariaDB does as its
    server is configured.
    """

    def __init__(self, address: str, suffix: str, keep: bool = False, durable: bool = True) -> None:
        self.name, self._keep = f"{NAME}_{suffix}", keep
        self.address = f"{address}/{self.name}" if address else ""
        self.settings: dict[str, Any] = {
            **connections.settings[DEFAULT_DB_ALIAS],
            **_database(self.address),
        }
        if not address:
            self._path = Path(tempfile.gettempdir()) / f"{self.name}.sqlite3"
            self.settings |= {
                "NAME": str(self._path),
                "OPTIONS": {**self.settings["OPTIONS"], "init_command": PRAGMAS},
            }
        elif self.settings["ENGINE"].endswith("postgresql") and not durable:
            self.settings["OPTIONS"] = {"options": "-c synchronous_commit=off"}
        self.connection: BaseDatabaseWrapper = load_backend(
            self.settings["ENGINE"]
        ).DatabaseWrapper(self.settings, DEFAULT_DB_ALIAS)

    def __enter__(self) -> Database:
        is_new = not (self._keep and self._exists())
        if is_new:
            self._drop()
            self._execute(f"CREATE DATABASE {self.name}")
        self.use()
        # run_syncdb creates the tables of the lean floors, which have no migrations.
        call_command("migrate", run_syncdb=True, verbosity=0)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._keep:
            self.connection.close()
        else:
            self._drop()

    def use(self) -> None:
        """Make this the default connection."""
        connections[DEFAULT_DB_ALIAS] = self.connection

    def fill(self, calls: int) -> None:
        """Write a history of ``calls`` calls, unless the database has one already."""
        from django_voicepassword.models import CallRequest

        self.use()
        if calls and not CallRequest.objects.exists():
            began = time.monotonic()
            history.fill(calls)
            say(
                f"{self.name}: wrote a history of {calls:,} calls in"
                f" {time.monotonic() - began:.0f} s"
            )

    def _exists(self) -> bool:
        try:
            self.connection.ensure_connection()
        except Exception:
            return False
        with self.connection.cursor() as cursor:
            return "django_migrations" in self.connection.introspection.table_names(cursor)

    def _drop(self) -> None:
        self.connection.close()
        force = " WITH (FORCE)" if self.connection.vendor == "postgresql" else ""
        self._execute(f"DROP DATABASE IF EXISTS {self.name}{force}")
        if self.connection.vendor == "sqlite":
            for path in self._path.parent.glob(f"{self._path.name}*"):
                path.unlink()

    def _execute(self, statement: str) -> None:
        if self.connection.vendor != "sqlite":
            with self.connection._nodb_cursor() as cursor:
                cursor.execute(statement)
