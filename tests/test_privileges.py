"""A database that refuses temporary tables to its user: a check says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from django_voicepassword import checks
from tests.databases import MARIADB, POSTGRESQL, execute
from tests.own_database import ROUTERS, Router, add_alias, install_pymysql, remove_alias

NAME = f"limited_{os.getpid()}"
#: Server -> the statements that make a user who may read and write, and no more; and one that
#: gives it the right to temporary tables.
LIMITED = {
    MARIADB: (
        [f"CREATE USER {NAME}", f"GRANT SELECT, INSERT ON {NAME}.* TO {NAME}"],
        f"GRANT CREATE TEMPORARY TABLES ON {NAME}.* TO {NAME}",
    ),
    POSTGRESQL: (
        [f"CREATE ROLE {NAME} LOGIN", f"REVOKE TEMPORARY ON DATABASE {NAME} FROM PUBLIC"],
        f"GRANT TEMPORARY ON DATABASE {NAME} TO {NAME}",
    ),
}
SERVERS = [
    pytest.param(MARIADB, marks=pytest.mark.service("mariadb"), id="mariadb"),
    pytest.param(POSTGRESQL, marks=pytest.mark.service("postgresql"), id="postgresql"),
]


@pytest.fixture(params=SERVERS)
def server(
    request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A server whose user ``NAME`` may create no temporary tables in the database ``NAME``."""
    server = str(request.param)
    install_pymysql()
    execute(server, f"CREATE DATABASE {NAME}")
    for statement in LIMITED[server][0]:
        execute(server, statement)
    add_alias(NAME, f"{server}/{NAME}", USER=NAME)
    settings.DATABASE_ROUTERS = ROUTERS
    monkeypatch.setattr(Router, "alias", NAME)
    yield server
    remove_alias(NAME)
    execute(server, f"DROP DATABASE {NAME}")
    execute(server, f"DROP {'USER' if server == MARIADB else 'ROLE'} {NAME}")


def test_a_user_without_the_right_to_temporary_tables_is_reported(
    server: str, django_db_blocker: Any
) -> None:
    with django_db_blocker.unblock():
        assert checks.check_privileges(databases=None) == []
        (warning,) = checks.check_privileges(databases=[NAME])
        assert warning.id == "voicepassword.W016"
        connections[NAME].close()
        execute(server, LIMITED[server][1])
        assert checks.check_privileges(databases=[NAME]) == []
