"""The login pages in Chromium, under a strict Content-Security-Policy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.models import (
    CallRequest,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.testing import outbox
from tests import browser_visits
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
#: Russian texts are longer: they are in the narrow window.
APPEARANCES_WITH_LOCALE = list(zip(APPEARANCES, ("en-US", "ru-RU"), strict=True))


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


def test_phone_code_login(visit: Visit) -> None:
    page = visit("/auth/login/")
    code = give_phone(page)
    expect(page.get_by_text("+7 999 000-00-01")).to_be_visible()
    # With its last digit the code is submitted.
    page.keyboard.type(code)
    page.wait_for_url("**/auth/logout/")
    assert len(outbox) == 1


def test_without_script(visit: Visit) -> None:
    page = visit("/auth/login/", java_script_enabled=False)
    code = give_phone(page)
    expect(page.get_by_text("You can ask again in 1 minute.")).to_be_visible()
    expect(page.get_by_role("link", name="Reload the page")).to_be_visible()
    expect(page.locator("[data-vp-lifetime]")).to_contain_text("The code works for 5 minutes more.")
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
    page.keyboard.type("12")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log in")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Space")
    expect(page.get_by_role("alert").filter(has_text="The code has 4 digits")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(wrong_code(outbox[-1].code))
    expect(page.get_by_role("alert").filter(has_text="4 attempts are left")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    page.keyboard.type(outbox[-1].code)
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
    page.get_by_text("Where to find a missed call").click()
    expect(page.get_by_text("iPhone.")).to_be_visible()
    assert_accessible(page)
    Verification.objects.update(last_sent_at=None)
    page.get_by_label("Code").fill(wrong_code(code))
    expect(page.get_by_role("alert").filter(has_text="4 attempts are left")).to_be_visible()
    assert_accessible(page)
    for error_code, button in (
        ("number_not_valid", "Change the number"),
        ("number_in_spam_list", "Let a robot say the code"),
        ("not_enough_money", "Try again"),
    ):
        CallRequest.objects.update(state=CallRequest.State.REFUSED, error_code=error_code)
        page.reload()
        expect(page.get_by_role("button", name=button)).to_have_class("vp-button")
        assert_accessible(page)
    Verification.objects.update(status=Verification.Status.MAX_ATTEMPTS)
    page.reload()
    expect(page.get_by_role("link", name="Get a new code")).to_be_visible()
    assert_accessible(page)


@pytest.mark.parametrize(("appearance", "locale"), APPEARANCES_WITH_LOCALE)
def test_an_important_step_is_confirmed(visit: Any, appearance: Any, locale: Any) -> None:
    page = visit("/auth/login/", locale=locale, **appearance)
    submit = page.locator("main button:visible")
    page.locator("input[type=tel]").fill(PHONE)
    submit.first.click()
    page.wait_for_url("**/login/code/")
    page.locator("input[name=code]").fill(outbox[-1].code)
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
    page.wait_for_url("**/auth/logout/")
    assert len(outbox) == 2


@pytest.mark.parametrize(("appearance", "locale"), APPEARANCES_WITH_LOCALE)
def test_ones_own_numbers_are_accessible(
    visit: Any, configure: Callable[..., None], appearance: Any, locale: str
) -> None:
    configure(DORMANT_AFTER_DAYS=30)
    page = visit("/auth/login/?next=/auth/phones/", locale=locale, **appearance)
    page.locator("input[type=tel]").fill(PHONE)
    page.locator("main button:visible").first.click()
    page.wait_for_url("**/login/code/**")
    page.locator("input[name=code]").fill(outbox[-1].code)
    page.wait_for_url("**/auth/phones/")
    root = page.url
    user = VerifiedPhone.objects.get().user
    old = VerifiedPhone.objects.create(
        user=user, phone="79990000002", verified_at=timezone.now() - timedelta(days=99)
    )
    TrustedDevice.objects.create(user=user, phone=old.phone, token_hash="other")
    for path in ("", "add/", f"{old.pk}/change/", f"{old.pk}/remove/"):
        page.goto(f"{root}{path}")
        assert_accessible(page)
    VerifiedPhone.objects.filter(pk=old.pk).delete()
    page.goto(
        re.sub("/auth/.*", f"/auth/phones/{VerifiedPhone.objects.get().pk}/remove/", page.url)
    )
    expect(page.locator("[role=alert]")).to_be_visible()
    assert_accessible(page)


def _save_screenshot(page: Page, name: str) -> None:
    """Save a picture for a human to look at, if SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


#: The height of each thing on the page that can be pressed. A checkbox is pressed by its label.
HEIGHTS_OF_TARGETS = """() => [
    ...document.querySelectorAll(
        "a, button, input:not([type=checkbox]), label:has([type=checkbox]), summary"
    ),
].filter((target) => target.checkVisibility({ visibilityProperty: true }))
.map((target) => [target.textContent.trim(), target.getBoundingClientRect().height])
.filter(([, height]) => height > 0)"""


def assert_accessible(page: Page) -> None:
    browser_visits.assert_accessible(page)
    heights = page.evaluate(HEIGHTS_OF_TARGETS)
    assert heights
    assert [target for target in heights if target[1] < 44] == []


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
    # Long enough for a busy machine to load the page meanwhile.
    configure(RESEND_AFTER=8)
    page = visit("/auth/login/")
    give_phone(page)
    robot = page.get_by_role("button", name="Let a robot say the code")
    expect(page.get_by_text(re.compile(r"You can ask again in 0:0\d\."))).to_be_visible()
    expect(robot).to_be_disabled()
    expect(page.get_by_role("link", name="Reload the page")).to_have_count(0)
    expect(robot).to_be_enabled(timeout=30_000)
    robot.click()
    expect(page.get_by_role("status")).to_contain_text("A robot is calling you.")
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


@pytest.fixture
def submits(visit: Visit) -> tuple[Page, list[str]]:
    """The code page, and the codes that it submits: the answers never come."""
    page = visit("/auth/login/")
    give_phone(page)
    sent: list[str] = []

    def note(route: Any) -> None:
        sent.append(dict(parse_qsl(route.request.post_data)).get("code", ""))
        route.fulfill(status=204)

    page.route("**/login/code/", note)
    return page, sent


def assert_submitted_once(page: Page, sent: list[str]) -> None:
    """Assert that the page submits 1234, and nothing else within a moment."""
    # Playwright tells of the submit while it waits.
    for _ in range(100):
        page.wait_for_timeout(300)
        if sent:
            break
    assert sent == ["1234"]


def test_a_code_is_submitted_once_with_its_last_digit(submits: tuple[Page, list[str]]) -> None:
    page, sent = submits
    field = page.get_by_label("Code")
    # Typed, and as some keyboards paste a text: no event says that it was pasted.
    field.press_sequentially("1-2 3")
    assert sent == []
    page.keyboard.press("4")
    expect(field).to_have_value("1234")
    page.keyboard.press("Backspace")
    page.keyboard.press("5")
    assert_submitted_once(page, sent)


def test_a_code_is_taken_from_the_suggestion_of_the_keyboard(
    submits: tuple[Page, list[str]],
) -> None:
    page, sent = submits
    page.get_by_label("Code").focus()
    page.keyboard.insert_text(" 1 2-3 4 ")
    assert_submitted_once(page, sent)


PASTE = """(input, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    input.dispatchEvent(new ClipboardEvent("paste", {clipboardData, cancelable: true}));
}"""


def test_a_pasted_text_is_submitted_where_it_has_the_right_length(
    submits: tuple[Page, list[str]],
) -> None:
    page, sent = submits
    field = page.get_by_label("Code")
    # A page submits once: the text that does it is the last one.
    for text, shown in (("12345", "12345"), ("+7 495 1", ""), ("123", "123"), ("12 34", "1234")):
        assert sent == []
        field.fill("")
        field.evaluate(PASTE, text)
        expect(field).to_have_value(shown)
        page.wait_for_timeout(300)
    assert_submitted_once(page, sent)


def test_the_page_says_how_long_the_code_works(visit: Visit) -> None:
    page = visit("/auth/login/")
    page.clock.install()
    give_phone(page)
    shown = page.locator("[data-vp-lifetime]")
    expect(shown).to_have_text("The code works for 5 minutes more.")
    page.clock.run_for(61_000)
    expect(shown).to_have_text("The code works for 4 minutes more.")
    # No time of day is left: it would be that of the server's zone.
    assert page.locator("time").count() == 0


def test_a_call_that_is_refused_takes_the_field_away(visit: Visit) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    CallRequest.objects.update(state=CallRequest.State.REFUSED, error_code="number_not_valid")
    expect(page.get_by_role("heading", name="Check the number")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Code")).to_have_count(0)


def test_the_button_that_helps_stays_where_no_call_was_made(visit: Visit) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    CallRequest.objects.update(state=CallRequest.State.REFUSED, error_code="not_enough_money")
    Verification.objects.update(last_sent_at=None)
    with page.expect_response("**/login/code/state/"):
        page.reload()
    page.wait_for_timeout(200)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Code")).to_be_visible()
    assert len(outbox) == 2


def test_a_call_that_no_worker_takes_is_said_to_be_late(visit: Visit) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    CallRequest.objects.update(
        state=CallRequest.State.QUEUED, created_at=timezone.now() - timedelta(seconds=20)
    )
    expect(page.get_by_role("status")).to_contain_text("The call is late.", timeout=30_000)
    help_text = page.get_by_text("Where to find a missed call")
    expect(help_text).to_be_visible()
    CallRequest.objects.update(state=CallRequest.State.FAILED, claimed_at=timezone.now())
    expect(page.get_by_role("status")).to_contain_text("did not get through", timeout=30_000)
    expect(help_text).to_be_hidden()
    expect(page.get_by_text("Incoming call")).to_be_hidden()


def test_another_call_in_another_tab_replaces_the_page(visit: Visit) -> None:
    page = visit("/auth/login/")
    give_phone(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Change the number").click()
    other.get_by_label("Phone number").fill("+7 999 000-00-02")
    other.get_by_role("button", name="Call me").click()
    expect(page.get_by_text("+7 999 000-00-02")).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("locale", ["en-US", "ru-RU"])
def test_large_text_fits_into_a_narrow_window(visit: Visit, locale: str) -> None:
    page = visit("/auth/login/", locale=locale, viewport={"width": 320, "height": 640})
    double = "document.documentElement.style.fontSize = '200%'"
    page.evaluate(double)
    assert_accessible(page)
    page.locator("input[type=tel]").fill(PHONE)
    page.locator("main button").first.click()
    page.wait_for_url("**/login/code/")
    page.locator("summary").click()
    page.evaluate(double)
    assert_accessible(page)


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_reduced_motion_disables_the_animation(visit: Visit, motion: str, moves: bool) -> None:
    page = visit("/auth/login/", reduced_motion=motion)
    give_phone(page)
    name = "getComputedStyle(document.querySelector('.vp-call-screen')).animationName"
    assert (page.evaluate(name) != "none") is moves
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
