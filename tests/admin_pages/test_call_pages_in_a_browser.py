"""Support answers “I got no call” in a real browser by keyboard; the pages are accessible."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, DailyStatistics, Verification
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user
from tests.browser_visits import Visit, assert_accessible, visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "/admin/django_voicepassword/callrequest/"
#: The test gives up after this many presses of Tab.
MAX_TABS = 80
CUSTOMERS = "/admin/django_voicepassword/person/"
#: Our own parts of the pages; the rest of Django's admin is not ours to fix.
PARTS = [
    *(".vp-story", ".vp-customer", ".vp-period", ".vp-panel", "#result_list tbody", ".vp-ask"),
]
#: How many calls the list shows at once on a small desktop.
ROWS = 15


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """``visit(path, **context)`` opens a page as staff with every permission except
    ``view_full_phone``.
    """
    client = Client()
    client.force_login(
        create_staff_user(
            "ask_provider",
            "send_sms",
            "send_voice",
            "cancel_verification",
            "unblock_phone",
            "view_dailystatistics",
        )
    )
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    with visits(browser, live_server.url, session=session) as open_page:
        yield open_page


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element that matches the selector has the focus."""
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


class Keyboard:
    """Presses keys, and counts them; digits that are typed do not count."""

    def __init__(self, page: Page) -> None:
        self.strokes = 0
        self._page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)
            self.strokes += 1


def test_a_customer_got_no_call_by_keyboard_alone(
    visit: Callable[..., Page], outbox: list[Sent], settings: Any
) -> None:
    """From the admin's first page to the sentence in a few strokes; then the clerk helps."""
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "RESEND_AFTER": 0}
    verifications.start("79990000001")
    verification = verifications.start("79991234567")
    CallRequest.objects.filter(verification=verification).update(state="failed")
    page = visit("/admin/", permissions=["clipboard-read", "clipboard-write"])
    keyboard = Keyboard(page)
    # Over the header of the admin, into the app; its box has the focus.
    keyboard.press("Tab", "Enter", "Tab", "Enter")
    expect(page.locator("#vp-who")).to_be_focused()
    page.keyboard.type("4567")
    keyboard.press("Enter")
    said = page.locator("#vp-say")
    expect(said).to_be_focused()
    expect(said).to_contain_text("the operator did not put the call through")
    assert keyboard.strokes <= 12
    # The script of the page shows the button, and the focus may come before it has run.
    expect(page.locator("#vp-copy")).to_be_visible()
    keyboard.press("Tab", "Enter")
    expect(page.locator("#vp-copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == said.text_content()
    keyboard.press("Tab", "Enter")
    expect(page.get_by_text("the provider charges about 0.35")).to_be_visible()
    assert len(outbox) == 2
    tab_to(page, ".vp-ask button")
    keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Had a robot call and say the code.")
    assert [sent.channel for sent in outbox] == ["flashcall", "flashcall", "voice"]
    # The customer types what the robot says, and the page tells it by itself.
    expect(said).to_contain_text("A robot is calling you right now.")
    assert verifications.check(verification.id, outbox[-1].code).status == "approved"
    expect(said).to_contain_text("Your code was right", timeout=20_000)
    expect(page.locator(".vp-card").first).to_contain_text("typed the right code")


def test_without_javascript_a_link_looks_again(
    visit: Callable[..., Page], outbox: list[Sent]
) -> None:
    verification = verifications.start("79991234567")
    call = verification.calls.get()
    page = visit(f"{CUSTOMERS}?call={call.pk}", java_script_enabled=False)
    expect(page.locator("#vp-copy")).to_be_hidden()
    expect(page.locator("#vp-say")).to_contain_text("We are calling you right now.")
    verifications.cancel(verification.id)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#vp-say")).to_contain_text("That code is no longer valid.")
    # One click selects the whole sentence.
    page.locator("#vp-say").click()
    assert page.evaluate("getSelection().toString()") == page.locator("#vp-say").text_content()


# The width decides the layout and the scheme the colours: each is here, but not every pair.
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (768, "dark"), (320, "light")])
def test_the_pages_fit_and_can_be_read_by_everybody(
    visit: Callable[..., Page], outbox: list[Sent], width: int, scheme: str
) -> None:
    for state in ("failed", "placed", "no_answer", "unknown"):
        call = verifications.start("79991234567", channel="voice").calls.get()
        CallRequest.objects.filter(pk=call.pk).update(
            state=state, error_code="no_reply", price="0.35", duration=4
        )
        if state == "no_answer":
            break
    verifications.start("79990004567")
    page = visit(
        f"{LIST}?q=79991234567", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    paths = (
        f"{LIST}{call.pk}/change/",
        f"{LIST}{call.pk}/do/voice/",
        "/admin/django_voicepassword/",
        f"{CUSTOMERS}?call={call.pk}",
        f"{CUSTOMERS}?q=4567",
    )
    for path in (None, *paths):
        if path:
            page.goto(re.sub(r"/admin/.*", path, page.url))
        parts = [part for part in PARTS if page.locator(part).count()]
        assert parts, page.url
        assert_accessible(page, parts, ["wcag2a", "wcag2aa"])


def test_the_lists_show_all_their_columns_on_a_desktop(
    visit: Callable[..., Page], outbox: list[Sent]
) -> None:
    user = User.objects.create_user("user_c3c2f9132523")
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.200")
    verification = verifications.start("79991234567", request=request)
    Verification.objects.filter(pk=verification.pk).update(user=user)
    DailyStatistics.objects.create(date=date(2026, 11, 28), rows=200)
    page = visit("/admin/", viewport={"width": 1280, "height": 800}, locale="ru")
    hidden = {}
    for model in ("callrequest", "verification", "dailystatistics"):
        page.goto(re.sub(r"/admin/.*", LIST.replace("callrequest", model), page.url))
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        hidden[model] = page.locator("#changelist-form .results").evaluate(
            "results => results.scrollWidth - results.clientWidth"
        )
    assert hidden == {"callrequest": 0, "verification": 0, "dailystatistics": 0}


def test_fifteen_calls_are_seen_at_once_on_a_desktop(visit: Callable[..., Page]) -> None:
    now = timezone.now()
    user = User.objects.create_user("user_c3c2f9132523")
    outcomes = [("no_answer", ""), ("failed", ""), ("refused", "number_in_spam_list")]
    statuses = ["approved", "expired", "pending"]
    for number in range(30):
        status = statuses[number % 3]
        verification = Verification.objects.create(
            phone="79991234567",
            user=user,
            status=status,
            approved_at=now if status == "approved" else None,
            expires_at=now + timedelta(minutes=5),
        )
        state, code = outcomes[number % 7 % 3]
        CallRequest.objects.create(
            verification=verification,
            phone="79991234567",
            channel=["flashcall", "voice"][number % 2],
            state=state,
            error_code=code,
            price="3.305",
            claimed_at=now,
        )
    page = visit(LIST, viewport={"width": 1280, "height": 800}, locale="ru")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(30)
    bottom = rows.nth(ROWS - 1).evaluate("row => row.getBoundingClientRect().bottom")
    assert bottom <= 800
    results = page.locator("#changelist-form .results")
    assert results.evaluate("results => results.scrollWidth - results.clientWidth") == 0
