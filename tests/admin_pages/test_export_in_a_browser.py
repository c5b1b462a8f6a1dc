"""The download in a real browser, under the strictest Content-Security-Policy that Django's own
admin lives with.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.history import export, filters
from tests.admin_pages.csp import POLICY
from tests.api.staff import make, person
from tests.browser_visits import Visit, visits
from tests.export_site import ADDRESS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.export_site"),
]
LOOKS = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for width in (1280, 320)
    for scheme in ("light", "dark")
]
ROWS = 12


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """``visit("?state=busy", **context)`` opens the page in a new context, with calls; it may
    complain of nothing.
    """
    for _ in range(ROWS):
        make()
    client = Client()
    client.force_login(person("view_callrequest", "view_full_phone"))
    session = client.cookies["sessionid"].value
    with visits(browser, live_server.url, POLICY, _complaint, session) as open_page:
        yield lambda query="", **options: open_page(f"{ADDRESS}export/{query}", **options)


def _complaint(message: Any) -> list[str]:
    # A status of 400 or more, and a stream that breaks, are what the tests ask for; the browser
    # notes it.
    is_one = message.type in ("error", "warning") and "Failed to load resource" not in message.text
    return [message.text] if is_one else []


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two rows in most of a second."""
    after_cursor, hurry = filters.after_cursor, threading.Event()

    def late(*args: Any) -> Any:
        hurry.wait(0.8)
        return after_cursor(*args)

    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(filters, "after_cursor", late)
    yield
    # The server writes on when the page has turned away: it must be done before the database is
    # taken from it.
    hurry.set()
    time.sleep(0.5)


def told(page: Page) -> Any:
    return page.locator("form").get_by_role("status")


def test_a_download_tells_how_far_it_is(visit: Visit, slow: None) -> None:
    page = visit()
    with page.expect_download(timeout=30_000) as download:
        page.get_by_role("button", name="Download").click()
        expect(told(page)).to_have_text("The file is being prepared…")
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_role("button", name="Download")).to_be_disabled()
        # Two rows at a time; the line of titles is none.
        expect(told(page)).to_have_text(re.compile(rf"^Rows received: (2|4|6|8|10) of {ROWS}$"))
        value = page.get_by_role("progressbar", name="Progress of the download").evaluate(
            "bar => bar.value / bar.max"
        )
        assert 0 < value < 1
    name = download.value.suggested_filename
    assert len(Path(download.value.path()).read_text("utf-8-sig").splitlines()) == ROWS + 1
    expect(told(page)).to_have_text(f"Saved: {name}")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.get_by_role("button", name="Download")).to_be_focused()


def test_a_download_can_be_stopped(visit: Visit, slow: None) -> None:
    page = visit()
    page.on("download", lambda download: pytest.fail("something was saved"))
    page.get_by_role("button", name="Download").click()
    page.get_by_role("button", name="Stop").click()
    expect(told(page)).to_have_text("Stopped: nothing was saved.")
    expect(page.get_by_role("button", name="Download")).to_be_enabled()
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_half_of_a_file_is_not_saved(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise ConnectionAbortedError("the database is gone")

    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(filters, "after_cursor", broken)
    page = visit()
    page.on("download", lambda download: pytest.fail("something was saved"))
    page.get_by_role("button", name="Download").click()
    expect(told(page)).to_contain_text("nothing was saved. Try again.")


def test_what_is_wrong_is_told_by_the_page(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_XLSX_ROWS", 2)
    page = visit()
    page.get_by_label("XLSX").check()
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("holds 2 rows, and these are more: choose CSV")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("kind", ["CSV", "XLSX"])
def test_a_file_is_saved_with_and_without_script(visit: Visit, kind: str, script: bool) -> None:
    page = visit("?state=no_answer", java_script_enabled=script)
    page.get_by_label(kind).check()
    page.get_by_label("Whole phone numbers").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename.endswith(f".{kind.lower()}")
    assert Path(download.value.path()).stat().st_size > 500


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_nothing_is_out_of_reach(
    visit: Visit, slow: None, look: dict[str, Any], locale: str
) -> None:
    page = visit("?state=no_answer&q=4567", locale=locale, **look)
    assert_fine(page)
    page.locator("form[data-vp-export] [type=submit]").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    assert_fine(page)


def assert_fine(page: Page) -> None:
    """No sideways scrolling and no violation that axe knows."""
    assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    found = Axe().run(page, context="#content")
    assert found.violations_count == 0, found.generate_report()
