"""One site for all tests that do not break its database, on SQLite and a private Redis.

Each test takes numbers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.faulty_site import FaultySite
from tests.faults.servers import Redis


@pytest.fixture(scope="package")
def broker() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture(scope="package")
def shared_site(
    broker: Redis, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any
) -> Iterator[FaultySite]:
    """Web and sandbox, which run for all tests."""
    var = tmp_path_factory.mktemp("var")
    address = f"sqlite:///{var / 'db.sqlite3'}"
    with FaultySite(var, broker.url(), address, django_db_blocker) as site:
        yield site


@pytest.fixture
def site(shared_site: FaultySite) -> Iterator[FaultySite]:
    """The shared site, reset afterwards: no worker, no message, no answer held back."""
    yield shared_site
    shared_site.reset()
