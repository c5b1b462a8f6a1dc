"""The example project as processes, on three pairs of database and broker."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection
from processes import Site, free_port

from tests.databases import MARIADB, POSTGRESQL, execute
from tests.forked_site import ForkedSite
from tests.sandbox_process import SandboxProcess

REDIS = "redis://127.0.0.1:6379/0"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of the processes' log to the report of a failed test."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site:
        lines = (site.var / "log").read_text(errors="replace").splitlines()
        report.sections.append(("the last lines of the processes", "\n".join(lines[-200:])))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In parallel runs each site is a group of its own."""
    for item in items:
        # Other folders have a fixture of this name too: their tests are grouped by file.
        is_here = item.path.is_relative_to(Path(__file__).parent)
        if is_here and "site" in getattr(item, "fixturenames", ()):
            servers = item.name.partition("[")[2].rstrip("]")
            item.add_marker(pytest.mark.group(f"journey-{servers}"))


#: Database, broker and worker pool of Celery; "" and "" are SQLite and the embedded broker. Prefork
#: is Celery's default, so each pair of servers has it. Threads share the connections of a process,
#: which does not depend on the broker: one pair is enough.
SITES = [
    pytest.param(("", "", "prefork"), id="embedded-prefork"),
    pytest.param(
        (POSTGRESQL, REDIS, "prefork"),
        id="postgresql-redis-prefork",
        marks=pytest.mark.service("postgresql", "redis"),
    ),
    pytest.param(
        (POSTGRESQL, REDIS, "threads"),
        id="postgresql-redis-threads",
        marks=pytest.mark.service("postgresql", "redis"),
    ),
    pytest.param(
        (MARIADB, RABBITMQ, "prefork"),
        id="mariadb-rabbitmq-prefork",
        marks=pytest.mark.service("mariadb", "rabbitmq"),
    ),
]


@pytest.fixture(scope="package", params=SITES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Web, worker, beat and sandbox, with a database and a queue that are deleted afterwards."""
    database, broker, pool = request.param
    name = f"voicepassword_journey_{uuid.uuid4().hex[:8]}"
    environment = {"CELERY_TASK_DEFAULT_QUEUE": name}
    if database:
        execute(database, f"CREATE DATABASE {name}")
        environment |= {"DATABASE_URL": f"{database}/{name}", "CELERY_BROKER_URL": broker}
    var = tmp_path_factory.mktemp("var")
    overrides = {"RESEND_AFTER": 0, "TIMEOUT": [2, 30], "LIMITS": {"ip": []}}
    try:
        with (
            (var / "log").open("w") as log,
            ForkedSite(var, free_port(), free_port(), overrides, log, environment, pool) as site,
        ):
            yield site
    finally:
        if database:
            execute(database, f"DROP DATABASE {name}")
            delete_queue(broker, name)


@pytest.fixture
def sandbox(site: Site) -> SandboxProcess:
    """The control interface of the site's sandbox."""
    return SandboxProcess.at(site.sandbox_url)


def delete_queue(broker: str, queue: str) -> None:
    with Connection(broker) as connection:
        connection.default_channel.queue_delete(queue)
