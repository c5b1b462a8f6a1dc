"""Support answers “I got no call” in a real browser by keyboard; the pages are accessible."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, DailyStatistics, Verification
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user
from tests.browser_visits import Visit, visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIST = "/admin/django_voicepassword/callrequest/"
#: The test gives up after this many presses of Tab.
MAX_TABS = 80


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


def test_a_customer_got_no_call_by_keyboard_alone(
    visit: Callable[..., Page], outbox: list[Sent], settings: Any
) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "RESEND_AFTER": 0}
    verifications.start("79990000001")
    verification = verifications.start("79991234567")
    CallRequest.objects.filter(verification=verification).update(state="failed")
    page = visit(LIST)
    tab_to(page, "#searchbar")
    page.keyboard.type("4567")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    tab_to(page, "#result_list tbody th a")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The operator did not put it through")).to_be_visible()
    tab_to(page, "a[href$='/do/voice/']")
    page.keyboard.press("Enter")
    expect(page.get_by_text("the provider charges about 0.35")).to_be_visible()
    assert len(outbox) == 2
    tab_to(page, ".vp-ask button")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Had a robot call and say the code.")
    assert [sent.channel for sent in outbox] == ["flashcall", "flashcall", "voice"]
    # The customer types what the robot says.
    assert verifications.check(verification.id, outbox[-1].code).status == "approved"
    page.reload()
    expect(page.get_by_text("it worked")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 768, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
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
    page = visit(
        f"{LIST}?q=79991234567", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    for path in (None, f"{LIST}{call.pk}/change/", f"{LIST}{call.pk}/do/voice/"):
        if path:
            page.goto(re.sub(r"/admin/.*", path, page.url))
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth"), (
            page.url
        )
        # Check our own parts only; Django's admin is not ours to fix.
        for part in (".vp-story", ".vp-period", ".vp-panel", "#result_list tbody", ".vp-ask"):
            if page.locator(part).count():
                results = Axe().run(page, context=part, options={"runOnly": ["wcag2a", "wcag2aa"]})
                assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("model", ["callrequest", "verification", "dailystatistics"])
def test_the_lists_show_all_their_columns_on_a_desktop(
    visit: Callable[..., Page], outbox: list[Sent], model: str
) -> None:
    user = User.objects.create_user("user_c3c2f9132523")
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.200")
    verification = verifications.start("79991234567", request=request)
    Verification.objects.filter(pk=verification.pk).update(user=user)
    DailyStatistics.objects.create(date=date(2026, 11, 28), rows=200)
    page = visit(
        LIST.replace("callrequest", model), viewport={"width": 1280, "height": 800}, locale="ru"
    )
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    hidden = page.locator("#changelist-form .results").evaluate(
        "results => results.scrollWidth - results.clientWidth"
    )
    assert hidden == 0
