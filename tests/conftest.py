"""What every test may use, and the rule for services: skipped on a user's machine, failed in CI."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from django_voicepassword.testing import Sent
from django_voicepassword.testing import outbox as sent

BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
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


def pytest_runtest_setup(item: pytest.Item) -> None:
    missing = _missing(item)
    if missing is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {missing}", pytrace=False)
    pytest.skip(missing)


@pytest.fixture
def outbox() -> Iterator[list[Sent]]:
    """What the memory transport would have sent."""
    sent.clear()
    yield sent
    sent.clear()


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
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's own event loop runs in this thread: Django must not take it for an async
        # view.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield started
        started.close()
