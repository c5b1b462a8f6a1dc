"""Fixtures for every test, and the rules of a run.

- A test whose service or program is missing is skipped, and fails in CI.
- A test that starts a process must have a marker that says so: ``make fast`` deselects it.
- ``--database-only`` selects the tests that use the test database, without those that a database
  cannot change.
- In parallel runs the tests of a file stay together, and files with slow tests start first.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.db import connection
from django.test.utils import setup_test_environment, teardown_test_environment
from django.utils import translation

from django_voicepassword.testing import Sent
from django_voicepassword.testing import outbox as sent
from tests import frozen_time

#: Chromium prepares two popups of its address bar for every context, each in a process of its own:
#: half of the processor time of a test. The last switch of this name counts, so Playwright's own
#: features are here too, where they concern these pages.
DISABLED_FEATURES = [
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AimEnabled",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
]
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--disable-features={','.join(DISABLED_FEATURES)}",
]
PORTS = {"postgresql": 5432, "mariadb": 3306, "redis": 6379, "rabbitmq": 5672}
#: Where servers keep their programs, beside PATH. The script of RabbitMQ on PATH would run as
#: another user.
FOLDERS = [
    "/usr/lib/rabbitmq/bin",
    *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)),
]


def _is_up(service: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", PORTS[service]), timeout=2):
            return True
    except OSError:
        return False


def _chromium() -> str | None:
    return next(
        (path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None
    )


def find_program(name: str) -> str | None:
    """Where a program is, on PATH or where its package puts it."""
    folders = [
        *FOLDERS,
        *os.environ.get("PATH", os.defpath).split(os.pathsep),
        "/usr/sbin",
        "/sbin",
    ]
    return shutil.which(name, path=os.pathsep.join(folders))


def _missing(item: pytest.Item) -> str | None:
    for marker in item.iter_markers("service"):
        for service in marker.args:
            if not _is_up(service):
                return f"{service} does not answer on 127.0.0.1:{PORTS[service]}"
    if item.get_closest_marker("browser") and _chromium() is None:
        return "Chromium is not installed"
    for marker in item.iter_markers("program"):
        for program in marker.args:
            if find_program(program) is None:
                return f"{program} is not installed"
    return None


#: Markers of tests that need more than this process.
OUTSIDE = ("processes", "service", "browser", "program")
#: Fixtures that start a process: the tests that use them get the marker.
PROCESS_FIXTURES = {"built", "place", "process", "sandbox", "schema", "spare", "walks"}
#: The zone of the provider's days, as PROVIDER_TIME_ZONE has it.
PROVIDER_ZONE = ZoneInfo("Europe/Moscow")
#: Seconds. The few tests that take longer do not look at a whole day.
LONGEST_TEST = 20
#: Fixtures that set up the test database. Without them or the marker pytest-django blocks it.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}
_STARTS_PROCESS = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
#: The test that runs without one of the markers above; None between tests.
_unmarked: str | None = None


def _forbid_processes(event: str, arguments: tuple[Any, ...]) -> None:
    if _unmarked is not None and event in _STARTS_PROCESS:
        pytest.fail(
            f"{_unmarked} starts a process ({event}): mark it with pytest.mark.processes",
            pytrace=False,
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database-only",
        action="store_true",
        help="run only the tests that another database could change, for runs on it",
    )


def _deletions(style: Any, tables: list[str], **options: Any) -> list[str]:
    """Statements that empty tables. Foreign keys are checked at the end of the transaction."""
    return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]


def pytest_configure() -> None:
    sys.addaudithook(_forbid_processes)
    frozen_time.install()
    if connection.vendor == "postgresql":
        # Django truncates every table after a test with real transactions: PostgreSQL makes new
        # files for all of them and their indexes.
        operations: Any = connection.ops
        operations.sql_flush = _deletions
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        # A shell starts its background jobs so. The processes of the tests would inherit it, and
        # go on after Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Imported modules and collected tests live to the end: no collection need look at them."""
    gc.freeze()


def wait_for_midnight(now: datetime) -> None:
    """Begin no test in the last seconds of the provider's day.

    Whoever asks for the statistics or the budget of today would get those of two days.
    """
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    seconds_left = (tomorrow - now).total_seconds()
    if seconds_left <= LONGEST_TEST:
        time.sleep(seconds_left)


def _is_outside(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in OUTSIDE)


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def _group(item: pytest.Item) -> tuple[Path, str]:
    """What stays together in parallel runs."""
    marker = item.get_closest_marker("group")
    return item.path, marker.args[0] if marker else ""


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def _uses_database(item: pytest.Item) -> bool:
    return bool(item.get_closest_marker("django_db") or _fixtures(item) & DATABASE_FIXTURES)


def _may_differ(item: pytest.Item) -> bool:
    """Whether another database could change the outcome."""
    return _uses_database(item) and item.get_closest_marker("any_database") is None


def _set_id(item: Any, nodeid: str) -> None:
    """xdist 3.8 does it for its own groups in a way that pytest 9.2 does not notice."""
    if hasattr(item, "_id"):
        item._id = type(item._id).parse(nodeid)
    else:
        item._nodeid = nodeid


# First: the markers are there when ``-m`` selects by them.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if _fixtures(item) & PROCESS_FIXTURES:
            item.add_marker("processes")
    _make_ids_unique(items)
    if hasattr(config, "workerinput"):
        for item in items:
            _, group = _group(item)
            if group:
                _set_id(item, f"{item.nodeid}@{group}")
    if config.getoption("--database-only"):
        config.hook.pytest_deselected(items=[item for item in items if not _may_differ(item)])
        items[:] = [item for item in items if _may_differ(item)]
    if config.getoption("dist", "no") != "no" or hasattr(config, "workerinput"):
        _sort_long_tests_first(items)


def _make_ids_unique(items: list[pytest.Item]) -> None:
    """xdist runs one test for each id, and schemathesis leaves the operation out of the id."""
    seen = set()
    for item in items:
        if not item.nodeid.endswith(f"::{item.name}"):
            _set_id(item, f"{item.nodeid.rpartition('::')[0]}::{item.name}")
        if item.nodeid in seen:
            raise pytest.UsageError(f"two tests have the id {item.nodeid}")
        seen.add(item.nodeid)


def _sort_long_tests_first(items: list[pytest.Item]) -> None:
    """No process should wait at the end for one that started a long test late.

    The tests of a group keep their order: they share what a fixture of their module adds.
    """
    longest = {_group(item) for item in items if item.get_closest_marker("browser")}
    long = {_group(item) for item in items if _is_outside(item) or _is_slow(item)}
    items.sort(key=lambda item: (_group(item) not in longest, _group(item) not in long))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """``--dist loadgroup``, where the tests of a file stay together: they share fixtures.

    Only the marker ``group`` separates them.
    """
    from xdist.scheduler import LoadGroupScheduling

    class ByFile(LoadGroupScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            group = super()._split_scope(nodeid)
            return nodeid.partition("::")[0] if group == nodeid else group

    return ByFile(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    global _unmarked
    _unmarked = None if _is_outside(item) else item.nodeid
    try:
        return (yield)
    finally:
        _unmarked = None


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = _missing(item)
    if missing is None:
        wait_for_midnight(datetime.now(PROVIDER_ZONE))
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {missing}", pytrace=False)
    pytest.skip(missing)


@pytest.fixture(autouse=True)
def _default_language() -> Iterator[None]:
    """LocaleMiddleware leaves the language of the last request active in this thread."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """The cache of the process would keep the figures of an earlier test."""
    cache.clear()


@pytest.fixture
def outbox() -> Iterator[list[Sent]]:
    """What the memory transport would have sent."""
    sent.clear()
    yield sent
    sent.clear()


@pytest.fixture
def no_test_run() -> Iterator[None]:
    """This process is no test run to the app: its settings decide whether people are called.

    Ask for it before ``settings`` and ``configure``.
    """
    teardown_test_environment()
    yield
    setup_test_environment(debug=False)


@pytest.fixture
def configure(settings: Any) -> Callable[..., None]:
    """``configure(CODE_TTL=60)`` changes keys of VOICEPASSWORD for one test."""

    def change(**keys: Any) -> None:
        settings.VOICEPASSWORD = {**django_settings.VOICEPASSWORD, **keys}

    return change


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's executable."""
    path = _chromium()
    assert path is not None
    return Path(path)


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Any]:
    """A Chromium for the tests of one module (playwright's ``Browser``)."""
    from playwright.sync_api import expect, sync_playwright

    # Other tests run at the same time.
    expect.set_options(timeout=30_000)

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's own event loop runs in this thread: Django must not take it for an async
        # view.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield started
        started.close()
