"""One site for all that does not break its database, on SQLite and a private Redis. Tests take
numbers of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.servers import Redis
from tests.faults.stage import Stage


@pytest.fixture(scope="package")
def broker() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="package")
def site(
    broker: Redis, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[Stage]:
    """Web and sandbox, all the time."""
    var = tmp_path_factory.mktemp("var")
    with Stage(var, broker.url(), f"sqlite:///{var / 'db.sqlite3'}", django_db_blocker) as running:
        yield running


@pytest.fixture
def stage(site: Stage) -> Iterator[Stage]:
    """The site with nothing left of the test before: no worker, no message, and answers that flow."""
    yield site
    site.forget()
