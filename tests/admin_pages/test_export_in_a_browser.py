"""The download in a real browser, under a strict Content-Security-Policy."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.history import export, filters
from tests.admin_pages.content_security_policy import POLICY
from tests.api.staff import make, person
from tests.browser_visits import Visit, assert_accessible, visits
from tests.export_site import ADDRESS

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
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the export read two rows at a time, 0.8 seconds for each two."""
    after_cursor, finish = filters.after_cursor, threading.Event()

    def delayed(*args: Any) -> Any:
        finish.wait(0.8)
        return after_cursor(*args)

    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(filters, "after_cursor", delayed)
    yield
    # The server goes on writing after the page is closed. It must finish before the fixtures remove
    # the database.
    finish.set()
    time.sleep(0.5)


def status(page: Page) -> Locator:
    return page.locator("form").get_by_role("status")


def test_a_download_shows_its_progress(visit: Visit, slow: None) -> None:
    page = visit()
    with page.expect_download(timeout=30_000) as download:
        page.get_by_role("button", name="Download").click()
        expect(status(page)).to_have_text("The file is being prepared…")
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_role("button", name="Download")).to_be_disabled()
        # Two rows at a time; the line of titles does not count.
        expect(status(page)).to_have_text(re.compile(rf"^Rows received: (2|4|6|8|10) of {ROWS}$"))
        value = page.get_by_role("progressbar", name="Progress of the download").evaluate(
            "bar => bar.value / bar.max"
        )
        assert 0 < value < 1
    name = download.value.suggested_filename
    assert len(Path(download.value.path()).read_text("utf-8-sig").splitlines()) == ROWS + 1
    expect(status(page)).to_have_text(f"Saved: {name}")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.get_by_role("button", name="Download")).to_be_focused()


def test_a_download_can_be_stopped(visit: Visit, slow: None) -> None:
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
    visit: Visit, slow: None, look: dict[str, Any], locale: str
) -> None:
    page = visit("?state=no_answer&q=4567", locale=locale, **look)
    assert_accessible(page, ["#content"])
    page.locator("form[data-vp-export] [type=submit]").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert_accessible(page, ["#content"])
