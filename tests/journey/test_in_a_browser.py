"""A login as a person sees it, in Chromium. SCREENSHOTS=folder saves a picture of each page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from processes import Site

from tests.journey.conftest import SITES

pytestmark = pytest.mark.browser

NUMBER = "8 999 000-00-77"


def _save_screenshot(page: Page, name: str) -> None:
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize("site", SITES[:1], indirect=True, scope="package")
def test_type_a_number_see_the_phone_ring_type_the_digits_and_be_logged_in(
    site: Site, browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(30_000)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    phone = context.new_page()
    phone.goto(f"{site.sandbox_url}/phone/")
    _save_screenshot(phone, "0-phone-quiet")

    page = context.new_page()
    page.goto(f"{site.web_url}/")
    _save_screenshot(page, "1-welcome")
    page.get_by_role("link", name="Log in by phone").click()
    _save_screenshot(page, "2-login")
    page.get_by_label("Phone").fill(NUMBER)
    page.get_by_role("button", name="Call me").click()
    page.wait_for_url("**/auth/login/code/")
    _save_screenshot(page, "3-code")

    # The page of the phone updates itself.
    digits = phone.locator("mark").first
    expect(digits).to_have_text(re.compile(r"^\d{4}$"))
    _save_screenshot(phone, "4-phone-rings")
    code = digits.inner_text()

    expect(page.locator("[data-vp-hint]")).to_contain_text("We called")
    page.get_by_label("Code").fill(code)
    expect(page.get_by_role("heading", name="You are logged in")).to_be_visible()
    _save_screenshot(page, "5-logged-in")

    admin = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB").new_page()
    admin.goto(f"{site.web_url}/admin/")
    admin.get_by_label("Username").fill("owner")
    admin.get_by_label("Password").fill(site.people()["owner"])
    admin.get_by_role("button", name="Log in").click()
    admin.get_by_role("link", name="Call requests").click()
    _save_screenshot(admin, "6-admin-list")
    admin.locator("#result_list tbody th a").first.click()
    expect(admin.get_by_text("+7 *** ***-**-77").first).to_be_visible()
    # The year of a date may equal the code, and random ids may contain it.
    random = r"\b\d{4}, |\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    assert code not in re.sub(random, "", admin.locator("#content").inner_text())
    _save_screenshot(admin, "7-admin-call")
    assert errors == []
