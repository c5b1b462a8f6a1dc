"""The download in a real browser, under a strict Content-Security-Policy."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.history import export, filters
from tests.admin_pages.content_security_policy import POLICY
from tests.api.staff import make, person
from tests.browser_visits import Visit, assert_accessible, visits
from tests.export_site import ADDRESS
from tests.waiting import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.export_site"),
]
#: The width decides the layout and the scheme the colours: each is here, but not every pair.
LOOKS = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for width, scheme in ((1280, "light"), (320, "dark"))
]
ROWS = 12
#: Milliseconds, as in export.js.
MESSAGE_INTERVAL = 2_000


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """``visit("?state=busy", **context)`` opens the page in a new browser context.

    There are calls to export. The test fails if the page logs an error or a warning.
    """
    for _ in range(ROWS):
        make()
    client = Client()
    client.force_login(person("view_callrequest", "view_full_phone"))
    session = client.cookies["sessionid"].value
    with visits(browser, live_server.url, POLICY, _complaints, session) as open_page:
        yield lambda query="", **options: open_page(f"{ADDRESS}export/{query}", **options)


def _complaints(message: Any) -> list[str]:
    # The browser logs each status of 400 or more and each broken stream, which the tests provoke.
    is_complaint = (
        message.type in ("error", "warning") and "Failed to load resource" not in message.text
    )
    return [message.text] if is_complaint else []


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Let the export send two rows at a time, each two after a ``gate.release()``."""
    next_part, gate = export._next, threading.Semaphore(0)
    requests = Counter[str]()

    def held(chunks: Iterator[bytes]) -> bytes | None:
        assert gate.acquire(timeout=60)
        return next_part(chunks)

    def begin(**arguments: Any) -> None:
        requests["begun"] += 1

    def end(**arguments: Any) -> None:
        requests["ended"] += 1

    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(export, "_next", held)
    request_started.connect(begin)
    request_finished.connect(end)
    yield gate
    # The server goes on writing after the page is closed. It must finish before the fixtures remove
    # the database.
    gate.release(ROWS)
    until(lambda: requests["begun"] == requests["ended"], what="the end of the download")
    request_started.disconnect(begin)
    request_finished.disconnect(end)


def status(page: Page) -> Locator:
    return page.locator("form").get_by_role("status")


def test_a_download_shows_its_progress(visit: Visit, gate: threading.Semaphore) -> None:
    page = visit()
    with page.expect_download(timeout=30_000) as download:
        page.get_by_role("button", name="Download").click()
        expect(status(page)).to_have_text("The file is being prepared…")
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_role("button", name="Download")).to_be_disabled()
        # The page says a new figure only so long after the last one.
        page.wait_for_timeout(MESSAGE_INTERVAL)
        gate.release()
        # The line of titles does not count.
        expect(status(page)).to_have_text(f"Rows received: 2 of {ROWS}")
        value = page.get_by_role("progressbar", name="Progress of the download").evaluate(
            "bar => bar.value / bar.max"
        )
        assert 0 < value < 1
        gate.release(ROWS)
    name = download.value.suggested_filename
    assert len(Path(download.value.path()).read_text("utf-8-sig").splitlines()) == ROWS + 1
    expect(status(page)).to_have_text(f"Saved: {name}")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.get_by_role("button", name="Download")).to_be_focused()


def test_a_download_can_be_stopped(visit: Visit, gate: threading.Semaphore) -> None:
    page = visit()
    page.on("download", lambda download: pytest.fail("something was saved"))
    page.get_by_role("button", name="Download").click()
    page.get_by_role("button", name="Stop").click()
    expect(status(page)).to_have_text("Stopped: nothing was saved.")
    expect(page.get_by_role("button", name="Download")).to_be_enabled()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_an_incomplete_file_is_not_saved(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise ConnectionAbortedError("the database is gone")

    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(filters, "after_cursor", broken)
    page = visit()
    page.on("download", lambda download: pytest.fail("something was saved"))
    page.get_by_role("button", name="Download").click()
    expect(status(page)).to_contain_text("nothing was saved. Try again.")


def test_the_page_shows_what_is_wrong(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_XLSX_ROWS", 2)
    page = visit()
    page.get_by_label("XLSX").check()
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("holds 2 rows, and these are more: choose CSV")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_a_file_is_saved_with_and_without_script(visit: Visit, script: bool) -> None:
    page = visit("?state=no_answer", java_script_enabled=script)
    page.get_by_label("Whole phone numbers").check()
    for kind in ("CSV", "XLSX"):
        page.get_by_label(kind).check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        assert download.value.suggested_filename.endswith(f".{kind.lower()}")
        assert Path(download.value.path()).stat().st_size > 500


@pytest.mark.parametrize(("look", "locale"), list(zip(LOOKS, ("en-US", "ru-RU"), strict=True)))
def test_the_page_is_accessible(
    visit: Visit, gate: threading.Semaphore, look: dict[str, Any], locale: str
) -> None:
    page = visit("?state=no_answer&q=4567", locale=locale, **look)
    assert_accessible(page, ["#content"])
    page.locator("form[data-vp-export] [type=submit]").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert_accessible(page, ["#content"])
