"""The dashboard: every figure on the page comes from the rows that the test created."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation
from freezegun import freeze_time

from django_voicepassword.admin.dashboard import formatting, tiles
from django_voicepassword.admin.dashboard.query import read_selection
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    DailyStatistics,
    DayFigures,
    HourFigures,
    PrefixFigures,
    Verification,
)
from django_voicepassword.statistics.reading import Period
from tests.admin_pages.page_content import PageContent

pytestmark = pytest.mark.django_db
MOSCOW = ZoneInfo("Europe/Moscow")
#: A Tuesday.
TODAY = date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 15, 30, tzinfo=MOSCOW)
Visit = Callable[..., PageContent]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with freeze_time(NOW):
        yield


@pytest.fixture
def visit(admin_client: Client) -> Visit:
    """``visit(days=7)`` opens the page with this query and parses it."""

    def open_page(client: Client = admin_client, **query: Any) -> PageContent:
        query = {name.rstrip("_"): value for name, value in query.items()}
        answer = client.get(reverse("admin:django_voicepassword_dashboard"), query)
        assert answer.status_code == 200
        return PageContent(answer.content.decode())

    return open_page


def query_of(**query: Any) -> QueryDict:
    return QueryDict(urlencode(query, doseq=True))


def count_days(period: Period) -> int:
    return (period.last - period.first).days + 1


def create_figures(
    ago: int, channel: str = "", hour: int | None = None, prefix: str = "", **values: Any
) -> None:
    """Create the row of a day, hour or prefix that the task would count."""
    day = TODAY - timedelta(days=ago)
    fields: dict[str, Any] = {"date": day, "channel": channel, **values}
    if hour is not None:
        HourFigures.objects.create(**fields, hour=hour, weekday=day.weekday())
    elif prefix:
        PrefixFigures.objects.create(**fields, prefix=prefix)
    else:
        DayFigures.objects.create(**fields)


def create_call(moment: datetime, approved_after: int | None = None, **values: Any) -> None:
    approved_at = None if approved_after is None else moment + timedelta(seconds=approved_after)
    verification = Verification.objects.create(
        phone="79991234567",
        created_at=moment,
        expires_at=moment + timedelta(seconds=300),
        status="pending" if approved_at is None else "approved",
        approved_at=approved_at,
    )
    fields = {"channel": "flashcall", "state": "no_answer", "price": Decimal("0.35"), **values}
    times = {"created_at": moment, "claimed_at": moment, "placed_at": moment}
    CallRequest.objects.create(
        verification=verification, phone=verification.phone, **times, **fields
    )


def test_by_channel(visit: Visit) -> None:
    BalanceReading.objects.create(balance=100, currency="Rub", read_at=NOW)
    create_figures(
        1,
        calls=1500,
        started=1200,
        approved=900,
        answered=300,
        cost="1234.5",
        seconds={"7": 500, "12": 400},
    )
    create_figures(2, calls=500, started=400, approved=300, cost="0.5", seconds={"20": 300})
    create_figures(
        1,
        "flashcall",
        calls=1400,
        started=1200,
        approved=600,
        answered=70,
        cost="420",
        seconds={"7": 600},
    )
    create_figures(1, "voice", calls=100, started=90, answered=60, cost="814.5")
    # Before the period.
    create_figures(30, calls=7, started=7, cost="7")
    assert visit().table("By channel") == [
        ["flash call", "1,400", "1,200", "50.0%", "420.00 ₽", "0.70 ₽", "5.0%", "7 s"],
        ["voice call", "100", "90", "0.0%", "814.50 ₽", "–", "60.0%", "–"],
        ["SMS", "0", "0", "–", "0.00 ₽", "–", "–", "–"],
        ["all channels", "2,000", "1,600", "75.0%", "1,235.00 ₽", "1.03 ₽", "15.0%", "12 s"],
    ]


def test_by_day_as_a_chart_and_as_a_table(visit: Visit) -> None:
    outcomes: dict[str, Any] = {
        "answered": 3,
        "unanswered": 20,
        "failed": 4,
        "unknown": 2,
        "waiting": 1,
    }
    create_figures(1, calls=30, **outcomes, refused=5, cost="10.5", started=20, approved=15)
    create_figures(2, calls=8, unanswered=8, cost="2.8", started=8, approved=2)
    create_call(NOW - timedelta(minutes=5), state="answered")
    page = visit(days=7)
    days = [f"March {day}, 2026" for day in (10, 9, 8)]
    assert page.table("Calls by outcome")[:3] == [
        [days[0], "1", "1", "0", "0", "0", "0", "0"],
        [days[1], "30", "3", "20", "4", "2", "1", "5"],
        [days[2], "8", "0", "8", "0", "0", "0", "0"],
    ]
    assert page.table("Spend")[:3] == [[days[0], "0.35"], [days[1], "10.50"], [days[2], "2.80"]]
    assert page.table("Conversion")[:4] == [
        [days[0], "1", "0", "0.0%"],
        [days[1], "20", "15", "75.0%"],
        [days[2], "8", "2", "25.0%"],
        ["March 7, 2026", "0", "0", "–"],
    ]
    series = {
        row["name"]: row["values"]
        for name in ("calls", "spend", "conversion")
        for row in page.data[name]["series"]
    }
    assert series == {
        "answered": [0, 0, 0, 0, 0, 3, 1],
        "unanswered": [0, 0, 0, 0, 8, 20, 0],
        "failed": [0, 0, 0, 0, 0, 4, 0],
        "unknown": [0, 0, 0, 0, 0, 2, 0],
        "waiting": [0, 0, 0, 0, 0, 1, 0],
        "spend": [0, 0, 0, 0, 2.8, 10.5, 0.35],
        "conversion": [None, None, None, None, 0.25, 0.75, 0],
    }
    assert page.data["calls"]["labels"] == [f"2026-03-{day:02}" for day in range(4, 11)]
    for sentence in (
        "39 calls in all (answered: 4, not answered: 28, failed: 4, unknown: 2, "
        "no final state yet: 1); most on March 9, 2026: 30.",
        "13.65 in all; most on March 9, 2026: 10.50.",
        "58.6% over the whole period; highest on March 9, 2026: 75.0%; "
        "lowest on March 10, 2026: 0.0%.",
    ):
        assert page.text.count(sentence) == 1


def test_a_chart_says_in_its_label_what_it_shows(admin_client: Client) -> None:
    create_figures(1, calls=30, answered=30, started=20, approved=15)
    page = admin_client.get(reverse("admin:django_voicepassword_dashboard")).content.decode()
    assert page.count('<canvas role="img" aria-label="') == 3
    assert 'aria-label="Calls by outcome. 30 calls in all (answered: 30, ' in page
    assert 'aria-label="Conversion. 80.0% over the whole period' not in page
    assert 'aria-label="Conversion. 75.0% over the whole period' in page


def test_by_weekday_and_hour(visit: Visit) -> None:
    # A Monday, the Monday before and a Sunday.
    create_figures(1, hour=9, calls=70, started=50, approved=40)
    create_figures(8, hour=9, calls=30, started=30, approved=20)
    create_figures(2, hour=23, calls=1)
    page = visit()
    rows = {row[0]: row[1:] for row in page.table("Calls by weekday and hour")}
    assert list(rows) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert (rows["Mon"][9], rows["Mon"][8]) == ("100, conversion 75.0%", "0, conversion –")
    assert rows["Sun"][23] == "1, conversion –"
    assert "Monday, 9:00: calls 100, conversion 75.0%" in page.titles
    assert len(page.titles) == 7 * 24


def test_the_prefixes_with_the_lowest_conversion(visit: Visit) -> None:
    for number in range(12):
        create_figures(
            1,
            prefix=f"79{number:02}",
            started=100,
            approved=40 + number,
            calls=1000 + number,
            cost=number,
        )
    # With one more verification it would be the worst.
    create_figures(1, prefix="7777", started=19, calls=19)
    create_figures(1, prefix="38067", started=20, approved=1, calls=20, cost=2)
    rows = visit().table("Prefixes with the lowest conversion")
    assert rows[0] == ["+38067", "5.0%", "20", "20", "2.00"]
    assert rows[1:3] == [
        ["+7900", "40.0%", "100", "1,000", "0.00"],
        ["+7901", "41.0%", "100", "1,001", "1.00"],
    ]
    assert len(rows) == 10


def test_today_is_compared_with_the_same_time_of_earlier_days(visit: Visit) -> None:
    for minute in range(4):
        create_call(
            NOW - timedelta(minutes=minute + 1),
            approved_after=10 if minute else None,
            state="answered",
        )
    yesterday: dict[str, Any] = {
        "cost": "0.70",
        "started": 2,
        "approved": 1,
        "seconds": {"12": 1},
        "answered": 1,
    }
    create_figures(1, hour=14, calls=1, **yesterday)
    create_call(NOW - timedelta(days=1, minutes=1))
    # Later than now: not compared.
    create_call(NOW - timedelta(days=1) + timedelta(minutes=1))
    create_figures(1, hour=16, calls=50)
    page = visit()
    assert "Until 3:30 p.m., all channels; " in page.text
    assert page.tiles == {
        "Calls": ["4", "▲ 100% more than yesterday (2)", "a week ago: 0"],
        "Conversion": ["75.0%", "▲ 41.7 points more than yesterday (33.3%)", "a week ago: –"],
        "Cost per approved login": ["0.47", "▼ 55% less than yesterday (1.05)", "a week ago: –"],
        "Answer rate": [
            "100.0%",
            "▲ 50.0 points more than yesterday (50.0%)",
            "a week ago: –",
            "Nobody answers a flash call: the number that calls is the code.",
        ],
        "Median time to the code": ["10 s", "▼ 2 s less than yesterday (12 s)", "a week ago: –"],
        "Spend": ["1.40", "▲ 33% more than yesterday (1.05)", "a week ago: 0.00"],
    }
    # The tiles show today even if the period ends earlier.
    assert visit(from_="2026-03-01", to="2026-03-05").tiles["Calls"][0] == "4"
    assert visit(channel="voice").tiles["Calls"] == ["0", "as yesterday (0)", "as a week ago (0)"]


@pytest.mark.parametrize(
    ("name", "now", "before", "text", "tone"),
    [
        ("calls", 101, 100, "1.0% more than yesterday (100)", "plain"),
        ("calls", 0, 100, "100% less than yesterday (100)", "plain"),
        ("calls", 10_001, 10_000, "as yesterday (10,000)", "plain"),
        ("calls", 5, 0, "yesterday: 0", "plain"),
        ("conversion", 0.8, 0.7, "10.0 points more than yesterday (70.0%)", "good"),
        ("conversion", 0.7, 0.8, "10.0 points less than yesterday (80.0%)", "bad"),
        ("conversion", 0.5, 0.0, "50.0 points more than yesterday (0.0%)", "good"),
        ("conversion", None, 0.5, "yesterday: 50.0%", "plain"),
        ("cost", Decimal(2), Decimal(1), "100% more than yesterday (1.00)", "bad"),
        ("cost", Decimal(1), None, "yesterday: –", "plain"),
        ("seconds", 9, 12, "3 s less than yesterday (12 s)", "good"),
    ],
)
def test_a_change_in_words(name: str, now: Any, before: Any, text: str, tone: str) -> None:
    names = ("calls", "conversion", "cost", "rate", "seconds", "spend")
    metrics: dict[str, Any] = dict(zip(names, tiles.metrics(""), strict=True))
    change = metrics[name].change(1, now, before)
    assert (change.text, change.tone) == (text, tone)
    assert change.direction == ("up" if "more" in text else "down" if "less" in text else "")


def test_the_balance_and_how_long_it_will_last(visit: Visit, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Vladivostok"
    for ago, balance in ((31 * 24, 5000), (29 * 24, 3000), (2, 1234.5)):
        BalanceReading.objects.create(
            balance=balance, currency="Rub", read_at=NOW - timedelta(hours=ago)
        )
    for ago in range(1, 8):
        DailyStatistics.objects.create(date=TODAY - timedelta(days=ago), rows=1, total_price=100)
    page = visit()
    assert "1,234.50 ₽ Read on March 10, 2026, 8:30 p.m., 2 hours ago." in page.text
    assert (
        "At 100.00 ₽ a day, as on the last full days that were synced, "
        "it will do until March 22, 2026." in page.text
    )
    # The first reading is too old.
    assert page.table("Balance") == [
        ["03/10/2026 8:30 p.m.", "1,234.50 ₽"],
        ["02/09/2026 10:30 p.m.", "3,000.00 ₽"],
    ]
    drawn = page.data["balance"]
    assert (drawn["labels"][0], drawn["labels"][-1]) == ("2026-02-09T22:30", "2026-03-10T20:30")
    values = drawn["series"][0]["values"]
    assert (values[0], values[-1], set(values[1:-1]), len(values)) == (3000, 1234.5, {None}, 175)
    assert "other times are in Asia/Vladivostok" in page.text


def test_a_chart_of_many_readings_has_few_points(visit: Visit) -> None:
    readings = [
        BalanceReading(
            balance=10_000 - number,
            read_at=NOW - timedelta(days=31) + timedelta(minutes=10 * number),
        )
        for number in range(31 * 144 + 1)
    ]
    BalanceReading.objects.bulk_create(readings)
    values = visit().data["balance"]["series"][0]["values"]
    assert len(values) == 180
    assert values[-1] == 10_000 - 31 * 144
    assert None not in values


def test_without_a_reading_the_page_says_why(visit: Visit, configure: Callable[..., None]) -> None:
    assert "TRANSPORT is “memory”, which has no account" in visit().text
    configure(TRANSPORT="http", API_KEY="secret-key")
    assert "No balance was read yet" in visit().text


@pytest.mark.parametrize(("hours", "is_old"), [(2.9, False), (3.1, True)])
def test_an_old_reading_asks_whether_the_task_runs(
    visit: Visit, configure: Callable[..., None], hours: float, is_old: bool
) -> None:
    configure(TRANSPORT="http", API_KEY="secret-key")
    BalanceReading.objects.create(balance=1, read_at=NOW - timedelta(hours=hours))
    assert ("Does the task check_balance run every hour?" in visit().text) is is_old


@pytest.mark.parametrize(
    ("threshold", "is_low"), [(None, False), (Decimal(99), False), (Decimal(100), True)]
)
def test_a_low_balance_is_marked(
    visit: Visit, configure: Callable[..., None], threshold: Decimal | None, is_low: bool
) -> None:
    configure(LOW_BALANCE=threshold)
    BalanceReading.objects.create(balance=100, read_at=NOW)
    text = visit().text
    assert ("100.00 low Read on" in text) is is_low
    assert "no end is in sight" in text


def test_the_days_that_differ(visit: Visit) -> None:
    keys = []
    days: list[dict[str, Any]] = [
        {"mismatched": 3, "imported": 1200},
        {"missing": 2},
        {"unreadable": 1, "told_rows": 11},
        {"told_rows": 13, "imported": 7},
        {"told_rows": 10, "imported": 1},
    ]
    for ago, values in enumerate(days, start=1):
        keys.append(
            DailyStatistics.objects.create(date=TODAY - timedelta(days=ago), rows=10, **values).pk
        )
    DailyStatistics.objects.create(date=TODAY - timedelta(days=30), mismatched=1)
    page = visit()
    assert page.table("Differences to look into") == [
        ["March 9, 2026", "3", "0", "0", "–", "1,200"],
        ["March 8, 2026", "0", "2", "0", "–", "0"],
        ["March 7, 2026", "0", "0", "1", "–", "0"],
        ["March 6, 2026", "0", "0", "0", "10 of 13", "7"],
    ]
    for day, key in zip((9, 8, 7, 6), keys, strict=False):
        assert page.links[f"March {day}, 2026"] == reverse(
            "admin:django_voicepassword_dailystatistics_change", args=[key]
        )
    assert "compared with the provider's statistics: 5 of 30" in page.text.replace("&#x27;", "'")
    assert "not sent by this site: 1,208." in page.text
    calls = reverse("admin:django_voicepassword_callrequest_changelist")
    assert page.links["All calls with a difference"] == f"{calls}?differs=any"


def test_that_all_agrees_is_said_only_of_days_that_were_compared(visit: Visit) -> None:
    assert "everything agrees" not in visit().text
    DailyStatistics.objects.create(date=TODAY, rows=10, told_rows=10)
    assert "everything agrees" in visit().text


def test_days_without_figures_are_named(visit: Visit) -> None:
    assert "No day was counted yet" in visit().text
    create_figures(5)
    assert "The days before March 5, 2026 have no figures." in visit().text
    assert "have no figures" not in visit(from_="2026-03-05").text


def test_who_may_see_the_daily_statistics_may_see_it(
    client: Client, django_user_model: Any, visit: Visit
) -> None:
    address = reverse("admin:django_voicepassword_dashboard")
    assert address == "/admin/django_voicepassword/dashboard/"
    assert client.get(address).status_code == 302
    user = django_user_model.objects.create(username="clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_balancereading"))
    client.force_login(user)
    assert client.get(address).status_code == 403
    assert address not in client.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_dailystatistics"))
    assert "All calls with a difference" not in visit(client).links
    user.user_permissions.add(Permission.objects.get(codename="view_callrequest"))
    assert "All calls with a difference" in visit(client).links
    assert client.post(address).status_code == 405
    assert not Permission.objects.filter(codename__endswith="_dashboard").exists()


@pytest.mark.parametrize("page", ["/admin/", "/admin/django_voicepassword/"])
def test_the_index_leads_there(admin_client: Client, page: str) -> None:
    text = admin_client.get(page).content.decode()
    assert '<a href="/admin/django_voicepassword/dashboard/">Dashboard</a>' in text
    assert "/admin/django_voicepassword/dashboard/add/" not in text


@pytest.mark.parametrize(
    ("query", "heading", "days"),
    [
        ({}, "Last 30 days, all channels", 30),
        ({"days": "7"}, "Last 7 days, all channels", 7),
        ({"days": "365", "channel": "voice"}, "Last 365 days, voice call", 365),
        ({"days": "1"}, "Last 1 day, all channels", 1),
        (
            {"from": "2026-03-01", "to": "2026-03-05"},
            "March 1, 2026 to March 5, 2026, all channels",
            5,
        ),
        ({"from": "2026-03-05", "to": "2026-03-05"}, "March 5, 2026, all channels", 1),
        ({"from": "2026-03-01"}, "March 1, 2026 to March 10, 2026, all channels", 10),
        ({"to": "2026-03-05"}, "Feb. 4, 2026 to March 5, 2026, all channels", 30),
        # Days to come are not shown, dates override days, and empty fields do not count.
        (
            {"from": "2026-03-01", "to": "2026-12-31", "days": "7"},
            "March 1, 2026 to March 10, 2026, all channels",
            10,
        ),
        ({"from": "", "to": "", "days": "", "channel": ""}, "Last 30 days, all channels", 30),
        (
            {"from": "2023-03-11", "to": "2026-03-10"},
            "March 11, 2023 to March 10, 2026, all channels",
            1096,
        ),
    ],
)
def test_a_view_has_an_address(query: dict[str, str], heading: str, days: int) -> None:
    selection = read_selection(query_of(**query), TODAY)
    assert f"{selection.heading}, {selection.channel}" == heading
    assert count_days(selection.period) == days
    assert selection.problem == ""


def test_a_channel_keeps_its_period_and_a_period_its_channel(visit: Visit) -> None:
    page = visit(days=90, channel="sms")
    links = page.links
    assert " Last 90 days, SMS " in page.text
    assert len(page.data["calls"]["labels"]) == 90
    assert "are shown." not in page.text
    assert (links["7 days"], links["voice call"]) == (
        "?days=7&channel=sms",
        "?days=90&channel=voice",
    )
    assert links["all channels"] == "?days=90"
    assert (
        visit(from_="2026-03-01", to="2026-03-05").links["SMS"]
        == "?from=2026-03-01&to=2026-03-05&channel=sms"
    )


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"channel": "<script>"}, "There is no such channel."),
        ({"channel": "SMS"}, "There is no such channel."),
        ({"days": "-1"}, "This is not a number of days."),
        ({"days": "0"}, "This is not a number of days."),
        ({"days": "٣"}, "This is not a number of days."),
        ({"days": "9" * 5000}, "This is not a number of days."),
        ({"days": "1e3"}, "This is not a number of days."),
        ({"days": "1097"}, "A period has 1096 days at most."),
        ({"from": "2023-03-10"}, "A period has 1096 days at most."),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "This is not a date like 2026-03-10."),
        ({"to": "0001-01-05"}, "This is not a date like 2026-03-10."),
        ({"from": "2026-02-30"}, "This is not a date like 2026-03-10."),
        ({"from": "\x00"}, "This is not a date like 2026-03-10."),
        ({"from": "01.03.2026"}, "This is not a date like 2026-03-10."),
        ({"from": ["x", "yesterday"]}, "This is not a date like 2026-03-10."),
        (
            {"from": "2026-03-05", "to": "2026-03-01"},
            "The first day is after the last one or after today.",
        ),
        ({"from": "2026-03-11"}, "The first day is after the last one or after today."),
    ],
)
def test_an_invalid_query_selects_the_default_period_and_names_the_problem(
    query: dict[str, Any], problem: str
) -> None:
    selection = read_selection(query_of(**query), TODAY)
    assert selection.problem == f"{problem} The last 30 days are shown."
    assert f"{selection.heading}, {selection.channel}" == "Last 30 days, all channels"
    assert count_days(selection.period) == 30


def test_a_bad_date_leaves_the_channel(visit: Visit) -> None:
    page = visit(days="x", channel="voice")
    assert " This is not a number of days. The last 30 days are shown." in page.text
    assert " Last 30 days, voice call " in page.text
    assert len(page.data["calls"]["labels"]) == 30


def test_more_calls_cost_no_more_queries(admin_client: Client) -> None:
    def count_queries(**query: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(reverse("admin:django_voicepassword_dashboard"), query)
        return len(queries)

    few = count_queries()
    for number in range(40):
        create_call(NOW - timedelta(minutes=number), approved_after=9)
        create_call(NOW - timedelta(days=1, minutes=number), approved_after=9)
        create_figures(number + 1, calls=number, started=30)
        create_figures(number + 1, hour=number % 24, calls=1)
        create_figures(number + 1, prefix="7999", started=30)
        DailyStatistics.objects.create(
            date=TODAY - timedelta(days=number), mismatched=1, total_price=1
        )
        BalanceReading.objects.create(balance=1, read_at=NOW - timedelta(hours=number))
    # With a balance: one query more for the readings of the chart, one for the forecast.
    assert count_queries() == few + 2 <= 30
    assert count_queries(days=365, channel="voice") == few + 2
    # The period does not include today, which needs its own queries.
    assert count_queries(**{"from": "2026-03-01", "to": "2026-03-05"}) == few + 2


def test_without_time_zones(visit: Visit, settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "UTC"
    BalanceReading.objects.create(balance=5, currency="Rub", read_at=datetime(2026, 3, 10, 11, 30))
    create_call(datetime(2026, 3, 10, 12, 0))
    page = visit()
    assert "5.00 ₽ Read on March 10, 2026, 11:30 a.m., 1 hour ago." in page.text.replace(
        "\xa0", " "
    )
    assert "Until 12:30 p.m." in page.text
    assert page.tiles["Calls"][0] == "1"


def test_figures_are_written_in_the_readers_language() -> None:
    with translation.override("ru"):
        assert formatting.whole(1234567) == "1\xa0234\xa0567"
        assert formatting.money(Decimal("1234.5"), "Rub") == "1\xa0234,50\xa0₽"
        assert formatting.day(TODAY).startswith("10 марта 2026")
