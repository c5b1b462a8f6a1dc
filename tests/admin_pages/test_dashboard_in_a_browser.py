"""The dashboard in a real browser, under a policy that allows only files of the site."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    DailyStatistics,
    DayFigures,
    HourFigures,
    PrefixFigures,
    Verification,
)
from django_voicepassword.statistics import provider_today
from tests.admin_pages.content_security_policy import POLICY
from tests.browser_visits import Visit, assert_accessible, visits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADDRESS = "/admin/django_voicepassword/dashboard/"
#: The width decides the layout and the scheme the colours: each is here, but not every pair.
LOOKS = [
    {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for width, scheme in ((1280, "light"), (768, "dark"), (320, "light"))
]


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, admin_client: Client) -> Iterator[Visit]:
    """``visit("?days=7", **context)`` opens the page with figures in a new browser context.

    The test fails if the page logs an error or a warning.
    """
    _create_figures()
    session = admin_client.cookies["sessionid"].value
    with visits(browser, live_server.url, POLICY, _complaints, session) as open_page:
        yield lambda query="", **options: open_page(f"{ADDRESS}{query}", **options)


def _complaints(message: Any) -> list[str]:
    # The browser requests /favicon.ico, which this site does not have.
    return (
        [message.text]
        if message.type in ("error", "warning") and "favicon" not in str(message.location)
        else []
    )


def _create_figures() -> None:
    """Fill every table, chart and warning of the page."""
    today = provider_today()
    figures: dict[str, Any] = {
        "calls": 1234,
        "answered": 300,
        "unanswered": 700,
        "failed": 134,
        "unknown": 60,
        "waiting": 40,
    }
    figures |= {"cost": "431.9", "started": 1000, "approved": 840, "seconds": {"12": 840}}
    for ago in range(1, 40):
        day = today - timedelta(days=ago)
        for channel in ("", "flashcall"):
            DayFigures.objects.create(date=day, channel=channel, **figures)
        HourFigures.objects.create(
            date=day, weekday=day.weekday(), hour=ago % 24, **{**figures, "calls": 50 * ago}
        )
        PrefixFigures.objects.create(date=day, prefix=f"79{ago:02}", **figures)
        DailyStatistics.objects.create(
            date=day, rows=10, told_rows=12, mismatched=ago, total_price=432
        )
        BalanceReading.objects.create(
            balance=9000 - ago * 100, currency="Rub", read_at=timezone.now() - timedelta(days=ago)
        )

    _create_calls()


def _create_calls() -> None:
    """Create a login today and two calls at the same time yesterday.

    Two figures are better than yesterday's, one is worse.
    """
    now = timezone.now()
    for moment, seconds in (
        (now, 10),
        (now - timedelta(days=1), 5),
        (now - timedelta(days=1), None),
    ):
        verification = Verification.objects.create(
            phone="79991234567",
            created_at=moment,
            expires_at=moment + timedelta(minutes=5),
            status="approved" if seconds else "pending",
            approved_at=moment + timedelta(seconds=seconds) if seconds else None,
        )
        times = {"created_at": moment, "claimed_at": moment, "placed_at": moment}
        fields = {
            "phone": verification.phone,
            "channel": "flashcall",
            "state": "no_answer",
            "price": "0.35",
        }
        CallRequest.objects.create(verification=verification, **fields, **times)


def is_drawn(page: Page, name: str) -> bool:
    """Whether the canvas has more colours than an empty one."""
    colours = """name => {
        const canvas = document.querySelector(`[data-vp-chart=${name}]`);
        if (!canvas.width || !canvas.height) return 0;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4) seen.add(data.slice(at, at + 4).join());
        return seen.size;
    }"""
    return bool(page.evaluate(colours, name) > 3)


def is_wider_than_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.mark.parametrize(
    "look", LOOKS, ids=lambda look: f"{look['viewport']['width']}-{look['color_scheme']}"
)
def test_the_page_is_accessible_at_every_width(visit: Visit, look: dict[str, Any]) -> None:
    """Every chart is drawn, nothing scrolls sideways and axe finds no violation.

    With an error message, and with the tables open: then axe sees all that the page has.
    """
    page = visit("?days=x", **look)
    for name in ("calls", "spend", "conversion", "balance"):
        expect(page.locator(f"canvas[data-vp-chart={name}]")).to_be_visible()
        assert is_drawn(page, name)
    expect(page.get_by_role("alert")).to_have_text(
        "This is not a number of days. The last 30 days are shown."
    )
    assert not is_wider_than_window(page)
    page.evaluate(
        "document.querySelectorAll('details').forEach((details) => { details.open = true; })"
    )
    assert_accessible(page)
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        name = f"dashboard-{look['viewport']['width']}-{look['color_scheme']}.png"
        page.screenshot(path=Path(folder) / name, full_page=True)


def test_without_script_every_figure_is_there(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator(".vp-chart:visible").count() == 0
    page.get_by_text("The same as a table: Spend").click()
    expect(page.get_by_role("cell", name="431.90 ₽").first).to_be_visible()
    day = provider_today() - timedelta(days=3)
    page.get_by_label("From", exact=True).fill(day.isoformat())
    page.get_by_label("to", exact=True).fill(day.isoformat())
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(f"**/?from={day}&to={day}")
    page.get_by_role("link", name="flash call").click()
    page.wait_for_url(f"**/?from={day}&to={day}&channel=flashcall")
    assert (
        page.get_by_role("row", name="flash call").get_by_role("cell").first.text_content()
        == "1,234"
    )


#: The colours of the charts' axes and bars, as one text.
COLOURS = """[...document.querySelectorAll("canvas[data-vp-chart]")].map((canvas) => {
    const chart = window.Chart.getChart(canvas);
    return chart.options.scales.x.ticks.color + chart.data.datasets[0].backgroundColor;
}).join()"""


def test_the_charts_follow_the_scheme(visit: Visit) -> None:
    page = visit(color_scheme="light")
    light = page.evaluate(COLOURS)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => {COLOURS} !== light", arg=light)
    # Django's switch goes from automatic, which is dark here, to light.
    page.locator(".theme-toggle:visible").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.wait_for_function(f"light => {COLOURS} === light", arg=light)


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit()
    reached: dict[str, str] = {}
    focused = """[
        document.activeElement.textContent.trim(),
        getComputedStyle(document.activeElement).outlineWidth,
    ]"""
    while "The same as a table: Conversion" not in reached:
        assert len(reached) < 60
        page.keyboard.press("Tab")
        words, outline = page.evaluate(focused)
        reached[words] = outline
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("table", name="Conversion").get_by_role("cell", name="84.0%").first
    ).to_be_visible()
    expected = ("7 days", "365 days", "voice call", "Show", "The same as a table: Conversion")
    assert {words: reached.get(words) for words in expected} == dict.fromkeys(expected, "3px")


def test_the_days_are_the_providers_whatever_the_readers_clock_says(visit: Visit) -> None:
    page = visit("?days=7", timezone_id="America/Los_Angeles")
    labels = page.evaluate("""() => {
        const chart = window.Chart.getChart(document.querySelector("[data-vp-chart=calls]"));
        const { title, label } = chart.options.plugins.tooltip.callbacks;
        const item = { dataIndex: 6, dataset: chart.data.datasets[1], raw: 1234 };
        return [chart.scales.x.ticks.at(-1).label, ...title([item]), label(item)];
    }""")
    today = provider_today()
    assert labels == [
        f"{today:%b} {today.day}",
        f"{today:%A, %B} {today.day}, {today.year}",
        " not answered: 1,234",
    ]
