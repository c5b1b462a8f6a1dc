"""A database of a test's own, on a server, with the app's tables in it and all queries sent to it.

For charsets, collations, isolation levels and roles that the tests' shared database does not have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import environ
from django.core.management import call_command
from django.db import connections

from tests.databases import MARIADB, execute


class Router:
    """Sends every query to ``alias``."""

    alias = "default"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self.alias

    db_for_write = db_for_read


ROUTERS = [f"{__name__}.Router"]


def install_pymysql() -> None:
    """Django asks for a version of mysqlclient; PyMySQL names the one that it stands for."""
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()


@contextmanager
def own_database(server: str, options: str = "", **settings: Any) -> Iterator[str]:
    """Create a database with the app's tables, and return its name, which is its alias too.

    ``options`` follows CREATE DATABASE; ``settings`` are further settings of Django's database.
    """
    if server == MARIADB:
        install_pymysql()
    name = f"own_{os.getpid()}_{len(connections.settings)}"
    execute(server, f"CREATE DATABASE {name} {options}")
    try:
        add_alias(name, f"{server}/{name}", **settings)
        for app in ("auth", "django_voicepassword"):
            call_command("migrate", app, database=name, verbosity=0)
        yield name
    finally:
        remove_alias(name)
        execute(server, f"DROP DATABASE {name}")


def add_alias(alias: str, address: str, **settings: Any) -> None:
    databases = {"default": {}, alias: {**environ.Env.db_url_config(address), **settings}}
    connections.settings[alias] = connections.configure_settings(databases)[alias]


def remove_alias(alias: str) -> None:
    wrapper = connections[alias]
    wrapper.close()
    if wrapper.connection is not None:
        wrapper.connection.close()  # Django leaves a database in memory open.
    del connections[alias]
    del connections.settings[alias]
