"""JavaScript of a page, run in a browser at another origin, so that CORS applies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from playwright.sync_api import Page, sync_playwright

from tests.conftest import find_program
from tests.docs_samples.collect import Sample

if TYPE_CHECKING:
    from tests.docs_samples.walk import Walk

PHONE = "+7 999 123-45-67"


class _Blank(BaseHTTPRequestHandler):
    """Serves the page of the application, which is empty."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>app</title>")

    def log_message(self, format: str, *args: object) -> None:
        pass


def chromium() -> str | None:
    return find_program("chromium") or find_program("chromium-browser")


def run(walk: Walk, sample: Sample) -> None:
    """Log in by the functions of the sample, from another origin than the API's."""
    executable = chromium()
    if executable is None:
        return
    server = walk.serve()
    app = ThreadingHTTPServer(("127.0.0.1", walk.app_port), _Blank)
    threading.Thread(target=app.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{walk.app_port}/")
            text = walk.project.with_addresses(sample.text)
            page.add_script_tag(
                content=f"{text}\nObject.assign(window, {{ start, resend, logIn }});"
            )
            _log_in(page, server.code)
            browser.close()
    finally:
        app.shutdown()
        app.server_close()


def _log_in(page: Page, code: Callable[[], str]) -> None:
    verification = page.evaluate("phone => start(phone)", PHONE)
    assert verification["phone"] == "+7 *** ***-**-67"
    refusal = page.evaluate(
        "id => resend(id).catch(error => [error.code, error.retry_after])", verification["id"]
    )
    assert refusal[0] == "rate_limited"
    assert 0 < refusal[1] <= 60
    answer = page.evaluate("([id, code]) => logIn(id, code)", [verification["id"], code()])
    assert answer["user"]["username"].startswith("user_")
    cookies = {cookie["name"] for cookie in page.context.cookies()}
    assert {"sessionid", "voicepassword_device"} <= cookies
