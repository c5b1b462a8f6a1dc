"""Bursts from real processes let exactly the limit through, on SQLite, PostgreSQL and MariaDB.

``python -m tests.bursts`` runs them by hand.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.bursts import BURSTS, Bursts
from tests.databases import MARIADB, POSTGRESQL, execute

pytestmark = [pytest.mark.processes, pytest.mark.any_version]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("", id="sqlite"),
        pytest.param(
            POSTGRESQL,
            id="postgresql",
            marks=[pytest.mark.service("postgresql"), pytest.mark.group("bursts-postgresql")],
        ),
        pytest.param(
            MARIADB,
            id="mariadb",
            marks=[pytest.mark.service("mariadb"), pytest.mark.group("bursts-mariadb")],
        ),
    ],
)
def bursts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bursts]:
    """Worker processes on a new database."""
    if not request.param:
        with Bursts("", str(tmp_path_factory.mktemp("bursts") / "bursts.sqlite3")) as processes:
            yield processes
        return
    name = f"voicepassword_bursts_{uuid.uuid4().hex[:8]}"
    execute(request.param, f"CREATE DATABASE {name}")
    try:
        with Bursts(f"{request.param}/{name}") as processes:
            yield processes
    finally:
        execute(request.param, f"DROP DATABASE {name}")


@pytest.mark.parametrize("title", BURSTS)
def test_exactly_the_limit_gets_through(bursts: Bursts, title: str) -> None:
    action, expected = BURSTS[title]
    assert bursts.run(action, sum(expected.values())) == expected
