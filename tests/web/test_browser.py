"""The login pages in Chromium, under a strict Content-Security-Policy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import outbox
from tests.browser_visits import Visit, visits
from tests.web.content_security_policy import POLICY

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = "+7 999 000-00-01"
#: Window sizes and color schemes that the accessibility tests run with.
#: The width decides the layout and the scheme the colours: each is here, but not every pair.
APPEARANCES = [
    {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
]


@pytest.fixture(autouse=True)
def _redirect_after_login(settings: Any) -> None:
    settings.LOGIN_REDIRECT_URL = "/auth/logout/"


@pytest.fixture(scope="module")
def live_server(django_db_setup: None) -> Iterator[LiveServer]:
    """pytest-django's fixture with the strict policy, as the middleware is loaded at the start."""
    with override_settings(
        MIDDLEWARE=[
            "tests.web.content_security_policy.StrictPolicyMiddleware",
            *django_settings.MIDDLEWARE,
        ]
    ):
        server = LiveServer("localhost")
    yield server
    server.stop()


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """``visit("/auth/login/", **options)`` opens a page in a new browser context.

    The test fails if a page logs an error or a warning to the console.
    """
    with visits(browser, live_server.url, POLICY, console_problems) as open_page:
        yield open_page


def console_problems(message: Any) -> list[str]:
    # The browser also logs responses with a status of 400 or more, which the tests expect.
    is_problem = (
        message.type in ("error", "warning") and "Failed to load resource" not in message.text
    )
    return [message.text] if is_problem else []


def give_phone(page: Page) -> str:
    page.get_by_label("Phone number").fill(PHONE)
    page.get_by_role("button", name="Call me").click()
    page.wait_for_url("**/login/code/")
    return outbox[-1].code


def wrong_code(code: str) -> str:
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def is_wider_than_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_phone_code_login(visit: Visit) -> None:
    page = visit("/auth/login/")
    code = give_phone(page)
    expect(page.get_by_role("status")).to_contain_text("+7 *** ***-**-01")
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/auth/logout/")
    assert len(outbox) == 1


def test_without_script(visit: Visit) -> None:
    page = visit("/auth/login/", java_script_enabled=False)
    code = give_phone(page)
    expect(page.get_by_text("You can ask again at")).to_be_visible()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/auth/logout/")


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit("/auth/login/")
    # Wait for autofocus: keys that are pressed earlier are lost.
    expect(page.get_by_label("Phone number")).to_be_focused()
    page.keyboard.type(PHONE)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login/code/")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(wrong_code(outbox[-1].code))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="4 attempts are left")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log in")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(outbox[-1].code)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_url("**/auth/logout/")


def test_the_policy_allows_stylesheet_and_script(visit: Any) -> None:
    page = visit("/auth/login/")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.vp-button')).minHeight") == "52px"
    )
    assert page.evaluate("document.styleSheets[0].cssRules.length > 10")


@pytest.mark.parametrize("appearance", APPEARANCES)
def test_every_state_is_accessible(visit: Any, appearance: Any) -> None:
    """In every state: no horizontal scrolling, targets of 44 px, and no violation found by axe."""
    page = visit("/auth/login/", **appearance)
    assert_accessible(page)
    page.get_by_label("Phone number").fill("12")
    page.get_by_role("button", name="Call me").click()
    expect(page.get_by_role("alert").filter(has_text="This is not a phone number")).to_be_visible()
    assert_accessible(page)
    code = give_phone(page)
    assert_accessible(page)
    Verification.objects.update(last_sent_at=None)
    page.get_by_label("Code").fill(wrong_code(code))
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert").filter(has_text="4 attempts are left")).to_be_visible()
    assert_accessible(page)
    Verification.objects.update(status=Verification.Status.MAX_ATTEMPTS)
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Get a new code")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize("appearance", APPEARANCES)
@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_an_important_step_is_confirmed(visit: Any, appearance: Any, locale: Any) -> None:
    page = visit("/auth/login/", locale=locale, **appearance)
    submit = page.locator("main button:visible")
    page.locator("input[type=tel]").fill(PHONE)
    submit.first.click()
    page.wait_for_url("**/login/code/")
    page.locator("input[name=code]").fill(outbox[-1].code)
    submit.first.click()
    page.wait_for_url("**/auth/logout/")
    assert_accessible(page)
    page.goto(page.url.replace("logout", "confirm"))
    expect(page.get_by_text("+7 *** ***-**-01")).to_be_visible()
    assert_accessible(page)
    _save_screenshot(
        page, f"confirm-{locale}-{appearance['viewport']['width']}-{appearance['color_scheme']}"
    )
    submit.first.click()
    page.wait_for_url("**/login/code/")
    assert_accessible(page)
    _save_screenshot(
        page,
        f"confirm-code-{locale}-{appearance['viewport']['width']}-{appearance['color_scheme']}",
    )
    page.locator("input[name=code]").fill(outbox[-1].code)
    submit.first.click()
    page.wait_for_url("**/auth/logout/")
    assert len(outbox) == 2


def _save_screenshot(page: Page, name: str) -> None:
    """Save a picture for a human to look at, if SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def assert_accessible(page: Page) -> None:
    assert not is_wider_than_window(page)
    for target in page.locator("a:visible, button:visible, input:visible").all():
        box = target.bounding_box()
        assert box is not None
        assert box["height"] >= 44, f"{target.text_content()!r} is {box['height']} px high"
    violations = Axe().run(page)
    assert violations.violations_count == 0, violations.generate_report()


def test_the_page_follows_the_call(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    expect(page.get_by_role("status")).to_contain_text("We are calling")
    CallRequest.objects.update(state=CallRequest.State.NO_ANSWER)
    expect(page.get_by_role("status")).to_contain_text("We called", timeout=30_000)


def test_the_page_stops_asking_when_the_call_has_ended(visit: Visit) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    CallRequest.objects.update(state=CallRequest.State.NO_ANSWER)
    expect(page.get_by_role("status")).to_contain_text("We called", timeout=30_000)
    before = len(asked)
    page.wait_for_timeout(4_000)
    assert len(asked) == before


def test_a_submitted_form_ends_the_polling(visit: Visit) -> None:
    """A poll during the login would find no verification and replace the page that follows."""
    page = visit("/auth/login/")
    page.clock.install()
    give_phone(page)
    page.locator("form", has=page.get_by_label("Code")).dispatch_event("submit")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(20_000)
    assert asked == []
    with page.expect_request("**/login/code/state/"):
        page.evaluate("window.dispatchEvent(new Event('pageshow'))")  # as after the back button
        page.clock.run_for(100)


def test_the_wait_before_a_resend_counts_down(visit: Any, configure: Callable[..., None]) -> None:
    configure(RESEND_AFTER=3)
    page = visit("/auth/login/")
    give_phone(page)
    robot = page.get_by_role("button", name="Let a robot say the code")
    expect(page.get_by_text(re.compile(r"You can ask again in 0:0\d\."))).to_be_visible()
    expect(robot).to_be_disabled()
    expect(page.get_by_role("link", name="Reload the page")).to_have_count(0)
    expect(robot).to_be_enabled(timeout=30_000)
    robot.click()
    expect(page.get_by_role("status")).to_contain_text("A robot calls")
    assert [sent.channel for sent in outbox] == ["flashcall", "voice"]


def test_the_expiry_is_shown_without_a_reload(visit: Any, configure: Callable[..., None]) -> None:
    configure(CODE_TTL=3)
    page = visit("/auth/login/")
    give_phone(page)
    expect(page.get_by_role("link", name="Get a new code")).to_be_visible(timeout=30_000)


def test_a_login_in_another_tab_redirects_this_one(visit: Any) -> None:
    page = visit("/auth/login/")
    code = give_phone(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Code").fill(code)
    other.get_by_role("button", name="Log in").click()
    other.wait_for_url("**/auth/logout/")
    # On a busy machine the page polls less often.
    page.wait_for_url("**/auth/logout/", timeout=60_000)


def test_a_double_click_sends_one_form(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    page = visit("/auth/login/")
    posts: list[str] = []
    page.on(
        "request", lambda request: posts.append(request.url) if request.method == "POST" else None
    )
    page.get_by_label("Phone number").fill(PHONE)
    page.get_by_role("button", name="Call me").dblclick()
    page.wait_for_url("**/login/code/")
    assert len(posts) == 1
    assert len(outbox) == 1


def test_a_double_click_without_script_makes_one_call(visit: Any) -> None:
    page = visit("/auth/login/", java_script_enabled=False)
    page.get_by_label("Phone number").fill(PHONE)
    page.get_by_role("button", name="Call me").dblclick()
    page.wait_for_url("**/login/code/")
    assert len(outbox) == 1


def test_the_form_can_be_submitted_after_the_back_button(visit: Any) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    page.go_back()
    button = page.get_by_role("button", name="Call me")
    expect(button).to_be_enabled()
    page.get_by_label("Phone number").fill(PHONE)
    button.click()
    page.wait_for_url("**/login/code/")
    assert len(outbox) == 1


def test_a_code_loses_what_groups_it(visit: Visit) -> None:
    page = visit("/auth/login/")
    code = give_phone(page)
    field, grouped = page.get_by_label("Code"), f"{code[:2]}-{code[2:]}"
    # Typed, and as some keyboards paste a text: no event says that it was pasted.
    field.press_sequentially(f"{grouped}5")
    expect(field).to_have_value(code)
    field.fill("")
    page.keyboard.insert_text(f" {'-'.join(code)} ")
    expect(field).to_have_value(code)
    field.evaluate(
        """(input, text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", text);
            input.dispatchEvent(new ClipboardEvent("paste", {clipboardData, cancelable: true}));
        }""",
        f"{code[:2]} {code[2:]}",
    )
    expect(page.get_by_label("Code")).to_have_value(code)


def test_times_are_shown_in_the_browsers_time_zone(visit: Any) -> None:
    page = visit("/auth/login/", timezone_id="Asia/Vladivostok", locale="en-US")
    give_phone(page)
    expires = Verification.objects.get().expires_at
    expect(page.locator("time")).to_have_text(
        re.compile(rf"^{(expires.hour + 10) % 12 or 12}:{expires:%M:%S}\s[AP]M$")
    )


def test_reduced_motion_disables_the_animation(visit: Any) -> None:
    page = visit("/auth/login/", reduced_motion="reduce")
    give_phone(page)
    name = "getComputedStyle(document.querySelector('[data-vp-icon]'), '::after').animationName"
    assert page.evaluate(name) == "none"
    is_calling = page.evaluate(
        "document.querySelector('[data-vp-icon]').classList.contains('vp-icon-calling')"
    )
    assert is_calling is True


def test_the_pages_work_in_the_projects_own_layout(
    visit: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "voicepassword").mkdir()
    (tmp_path / "voicepassword" / "base.html").write_text(
        "<!DOCTYPE html>{% load static %}<html lang=en><title>Mine</title>"
        "<meta name=viewport content='width=device-width'>"
        "<link rel=stylesheet href=\"{% static 'voicepassword/voicepassword.css' %}\">"
        "<script type=module src=\"{% static 'voicepassword/voicepassword.js' %}\"></script>"
        "<body><main>{% block content %}{% endblock %}</main>"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    page = visit("/auth/login/", viewport={"width": 320, "height": 640})
    assert page.title() == "Mine"
    give_phone(page)
    assert_accessible(page)
    expect(page.get_by_role("button", name="Call me again")).to_be_hidden()
    expect(page.get_by_role("button", name="Let a robot say the code")).to_be_visible()
