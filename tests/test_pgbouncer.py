"""A login and a sync through PgBouncer, which gives each transaction any session of its pool."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from django.contrib.auth import authenticate
from django.db import connections
from django.test import Client
from processes import free_port

from django_voicepassword import checks, statistics
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.protocol import Report, parse_report
from django_voicepassword.testing import Sent
from tests.conftest import find_program
from tests.databases import POSTGRESQL
from tests.own_database import ROUTERS, Router, add_alias, own_database, remove_alias
from tests.waiting import until

pytestmark = [pytest.mark.service("postgresql"), pytest.mark.program("pgbouncer")]
NUMBER = "79990000001"
#: One session for everybody, so that whatever one transaction leaves meets the next one.
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
"""


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def pgbouncer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a PgBouncer of this module's own."""
    port = free_port()
    file = tmp_path_factory.mktemp("pgbouncer") / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(port=port))
    # It refuses to run as root.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    program = find_program("pgbouncer")
    assert program is not None
    with subprocess.Popen([program, "-q", *user, str(file)], stderr=subprocess.PIPE) as process:
        until(lambda: _listens(port) or process.poll() is not None, what="PgBouncer")
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield port
        # Newer versions wait for their clients after SIGTERM.
        process.kill()


@pytest.fixture
def pooled(
    pgbouncer: int, settings: Any, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[str]:
    """The address of a database, which every query of the app reaches through PgBouncer."""
    settings.DATABASE_ROUTERS = ROUTERS
    with django_db_blocker.unblock(), own_database(POSTGRESQL) as name:
        address = f"postgres://postgres@127.0.0.1:{pgbouncer}/{name}"
        add_alias("pooled", address, DISABLE_SERVER_SIDE_CURSORS=True)
        monkeypatch.setattr(Router, "alias", "pooled")
        yield address
        remove_alias("pooled")


class Provider:
    """A client whose day has one row of ours and one of another system."""

    def daily(self, day: date) -> list[Report]:
        row = {"number": NUMBER, "service": "Voice Password", "state": "Занято", "price": "0.35"}
        return [parse_report({**row, "id": id}) for id in ("1000", "7")]


def test_a_login_and_a_sync(
    configure: Callable[..., None], outbox: list[Sent], pooled: str
) -> None:
    answer = Client().post("/api/verifications/", {"phone": NUMBER}, "application/json")
    assert answer.status_code == 201
    id = answer.json()["id"]
    wrong = f"{(int(outbox[0].code) + 1) % 10000:04}"
    answer = Client().post(f"/api/verifications/{id}/check/", {"code": wrong}, "application/json")
    assert answer.json()["code"] == "wrong_code"
    user = authenticate(None, verification=id, voicepassword_code=outbox[0].code)
    assert user is not None
    CallRequest.objects.update(provider_id="1000")
    configure(TRANSPORT=f"{__name__}.Provider")
    day = statistics.provider_today()
    with psycopg.connect(pooled, autocommit=True) as other:
        # An older version of the app kept its table, of another shape, in the session.
        other.execute("CREATE TEMPORARY TABLE voicepassword_reported (id integer)")
        other.execute("CREATE TEMPORARY TABLE voicepassword_matched (id integer)")
        for _ in range(2):
            figures = statistics.sync_day(day).statistics
            assert (figures.rows, figures.matched, figures.imported) == (2, 1, 1)
        left = other.execute("SELECT relname FROM pg_class WHERE relpersistence = 't'").fetchall()
    assert [name for (name,) in left if name.startswith("voicepassword_")] == []
    assert statistics.refresh_figures(day)


def test_cursors_that_a_pool_would_break_are_reported(settings: Any, pooled: str) -> None:
    database = connections["pooled"].settings_dict
    database["PORT"] = "6432"
    assert checks.check_databases() == []
    database["DISABLE_SERVER_SIDE_CURSORS"] = False
    (warning,) = checks.check_databases()
    assert warning.id == "voicepassword.W015"
