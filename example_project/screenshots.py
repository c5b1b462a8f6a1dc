"""``make screenshots`` takes the pictures of docs/images in Chromium, from a demo of its own.

A picture is NAME.png, and NAME.ru.png in Russian. Every number on it is made up.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

from demo import SETTINGS
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from processes import HERE, Site, StartError, free_port

IMAGES = HERE.parent / "docs" / "images"
#: Bytes: readers of the README wait for every picture.
LARGEST = 150_000
COLOURS = 128
HISTORY = ["--calls=12000", "--days=60", "--seed=5"]
#: A phone, and the screen of a clerk.
PHONE = {"viewport": {"width": 390, "height": 600}, "device_scale_factor": 2}
SCREEN = {"viewport": {"width": 1280, "height": 860}}
ADMIN = "/admin/django_voicepassword/"


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("Chromium is needed: on Debian, apt install chromium", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="voicepassword-screenshots-") as folder,
        Path(os.devnull).open("w") as log,
        Site(Path(folder), free_port(), free_port(), SETTINGS, log=log) as site,
        sync_playwright() as playwright,
    ):
        site.manage("demo_data", *HISTORY)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, suffix in (("en", ""), ("ru", ".ru")):
            Photographer(site, browser, language, suffix).take_all()
        browser.close()
    return 0


class Photographer:
    """Takes every picture in one language."""

    def __init__(self, site: Site, browser: Browser, language: str, suffix: str) -> None:
        self._site = site
        self._browser = browser
        self._language = language
        self._suffix = suffix
        self._passwords = site.people()

    def take_all(self) -> None:
        self._log_in_by_phone()
        self._take("demo", self._page(SCREEN, "/"))
        day = date.today() - timedelta(days=1)
        yesterday = f"?from={day}&to={day}"
        clerk = self._admin("clerk")
        self._take("call-history", self._open(clerk, f"{ADMIN}callrequest/{yesterday}"))
        self._take("person", self._person(clerk))
        owner = self._admin("owner")
        self._take("dashboard", self._open(owner, f"{ADMIN}dashboard/"))

    def _log_in_by_phone(self) -> None:
        page = self._page(PHONE, "/auth/login/")
        # Its report comes late, so the page still says "We are calling you".
        page.locator("[name=phone]").fill("8 999 000-04-04")
        self._take("login-page", page, is_whole=True)
        page.locator("[name=phone]").press("Enter")
        phone = self._page(PHONE, f"{self._site.sandbox_url}/phone/")
        phone.locator("mark").first.wait_for()
        page.reload()
        self._take("code-page", page, is_whole=True)
        self._take("sandbox-phone", phone)

    def _person(self, clerk: Page) -> Page:
        """Return the page of somebody whose call has just failed."""
        customer = self._page(PHONE, "/auth/login/")
        customer.locator("[name=phone]").fill("8 999 000-01-05")
        customer.locator("[name=phone]").press("Enter")
        failed = self._page(PHONE, f"{self._site.sandbox_url}/phone/").locator(".call.bad")
        # The second language comes after the first one's call.
        failed.nth(1 if self._suffix else 0).wait_for()
        self._open(clerk, "/admin/django_voicepassword/")
        clerk.locator("#vp-who").fill("79990000105")
        clerk.locator("#vp-who").press("Enter")
        # The page follows: after RESEND_AFTER another call or an SMS can be sent.
        clerk.locator("[data-vp-part=actions] .vp-main").wait_for()
        return clerk

    def _admin(self, name: str) -> Page:
        page = self._page(SCREEN, "/admin/")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(self._passwords[name])
        page.locator("[type=submit]").click()
        page.locator("#user-tools").wait_for()
        return page

    def _page(self, appearance: dict[str, object], address: str) -> Page:
        context = self._browser.new_context(
            **appearance,  # type: ignore[arg-type]
            locale=self._language,
            timezone_id="Europe/Moscow",
            color_scheme="light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(60_000)
        return self._open(context.new_page(), address)

    def _open(self, page: Page, address: str) -> Page:
        page.goto(address if "://" in address else f"{self._site.web_url}{address}")
        page.wait_for_load_state("networkidle")
        return page

    def _take(self, name: str, page: Page, is_whole: bool = False) -> None:
        path = IMAGES / f"{name}{self._suffix}.png"
        taken = Image.open(BytesIO(page.screenshot(full_page=is_whole)))
        # A palette makes the file three times smaller, and nobody sees it.
        taken.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        size = path.stat().st_size
        print(f"{path.name}  {size // 1000} kB", flush=True)
        if size > LARGEST:
            raise StartError(f"{path.name} is too large for the README")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as error:
        sys.exit(str(error))
