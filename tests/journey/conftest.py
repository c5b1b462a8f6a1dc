"""The example project as processes, on three pairs of database and broker."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator

import pytest
from kombu.connection import Connection
from processes import Site, free_port

from tests.databases import MARIADB, POSTGRESQL, execute
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
        if "servers" in getattr(item, "fixturenames", ()):
            servers = item.name.partition("[")[2].rstrip("]")
            item.add_marker(pytest.mark.group(f"{item.path.stem}-{servers}"))


SERVERS = [
    pytest.param(("", ""), id="embedded"),
    pytest.param(
        (POSTGRESQL, REDIS), id="postgresql-redis", marks=pytest.mark.service("postgresql", "redis")
    ),
    pytest.param(
        (MARIADB, RABBITMQ), id="mariadb-rabbitmq", marks=pytest.mark.service("mariadb", "rabbitmq")
    ),
]


@pytest.fixture(scope="module", params=SERVERS)
def servers(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The addresses of database and broker; empty for SQLite and the embedded broker."""
    addresses: tuple[str, str] = request.param
    return addresses


@pytest.fixture(scope="module", params=["prefork", "threads"])
def pool(request: pytest.FixtureRequest) -> str:
    """The worker pool of Celery."""
    return str(request.param)


@pytest.fixture(scope="module")
def site(
    servers: tuple[str, str], pool: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Web, worker, beat and sandbox, with a database and a queue that are deleted afterwards."""
    database, broker = servers
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
            Site(var, free_port(), free_port(), overrides, log, environment, pool) as site,
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
