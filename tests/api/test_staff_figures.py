"""The staff API: figures by day, and the balance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.models import BalanceReading, DailyStatistics
from django_voicepassword.statistics import refresh_figures
from tests.api.staff import NOON, StaffApi, make, verified

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_days() -> None:
    """Create two days with calls; only the first is synced."""
    verified(price="0.35", state="answered")
    make(price="0.35", state="busy")
    make(state="refused", channel="voice")
    make(created_at=NOON + timedelta(days=1), channel="voice", state="answered", price="1.5")
    for day in (NOON.date(), NOON.date() + timedelta(days=1)):
        refresh_figures(day)
    DailyStatistics.objects.create(
        date=NOON.date(),
        rows=2,
        total_price="0.70",
        counts={"flashcall": {"answered": 1, "busy": 1}},
        matched=2,
        missing=1,
        unreadable=3,
    )


def test_a_day_has_the_providers_statistics_and_our_figures(two_days: None) -> None:
    api = StaffApi("view_dailystatistics")
    answer = api.get("statistics/", **{"from": "2026-03-09", "to": "2026-03-11"})
    assert answer.status_code == 200
    empty, synced, counted = answer.body["days"]
    assert [day["date"] for day in answer.body["days"]] == [
        "2026-03-09",
        "2026-03-10",
        "2026-03-11",
    ]
    assert (empty["calls"], empty["rows"], empty["synced_at"], empty["conversion"]) == (
        0,
        None,
        None,
        None,
    )
    assert synced.pop("synced_at")
    assert synced == {
        "rows": 2,
        "total_price": "0.7000",
        "counts": {"flashcall": {"answered": 1, "busy": 1}},
        "matched": 2,
        "imported": 0,
        "mismatched": 0,
        "missing": 1,
        "unreadable": 3,
        "calls": 2,
        "outcomes": {
            "answered": 1,
            "unanswered": 1,
            "failed": 0,
            "unknown": 0,
            "waiting": 0,
            "refused": 1,
        },
        "cost": "0.7000",
        "started": 1,
        "approved": 1,
        "conversion": 1.0,
        "answer_rate": 0.5,
        "cost_per_approval": "0.70",
        "median_seconds": 9,
        "date": "2026-03-10",
    }
    assert (counted["calls"], counted["cost"], counted["total_price"]) == (1, "1.5000", None)
    total = answer.body["total"]
    assert (total["calls"], total["cost"], total["rows"], total["counts"]) == (
        3,
        "2.2000",
        2,
        synced["counts"],
    )
    assert (total["approved"], total["cost_per_approval"], total["median_seconds"]) == (
        1,
        "2.20",
        9,
    )


def test_figures_of_one_channel(two_days: None) -> None:
    api = StaffApi("view_dailystatistics")
    answer = api.get(
        "statistics/", **{"from": "2026-03-10", "to": "2026-03-11", "channel": "voice"}
    )
    first, second = answer.body["days"]
    assert (first["calls"], first["outcomes"]["refused"], first["rows"]) == (0, 1, 2)
    assert (second["calls"], answer.body["total"]["cost"]) == (1, "1.5000")


def test_the_default_period_is_the_providers_last_thirty_days() -> None:
    api = StaffApi("view_dailystatistics")
    # 21:30 in London is the next day in Moscow.
    with freeze_time("2026-03-10T21:30:00Z"):
        api.client.force_login(api.user)
        make(created_at=timezone.now() - timedelta(minutes=1), price="0.35")
        days = api.get("statistics/").body["days"]
        assert (len(days), days[0]["date"], days[-1]["date"], days[-1]["calls"]) == (
            30,
            "2026-02-10",
            "2026-03-11",
            1,
        )
        assert [day["date"] for day in api.get("statistics/", to="2026-01-30").body["days"]][
            ::29
        ] == [
            "2026-01-01",
            "2026-01-30",
        ]
        assert len(api.get("statistics/", **{"from": "2026-03-10"}).body["days"]) == 2
        assert api.get("statistics/", **{"from": "2026-03-12"}).status_code == 400
        assert (
            len(api.get("statistics/", **{"from": "2023-03-12", "to": "2026-03-11"}).body["days"])
            == 1096
        )


def test_a_year_of_figures_costs_no_more_queries_than_a_day(
    two_days: None, django_assert_num_queries: Any
) -> None:
    api = StaffApi("view_dailystatistics")
    for first in ("2026-03-10", "2025-03-11"):
        # Session, user, permissions of the user and of their groups, statistics, figures.
        with django_assert_num_queries(6):
            assert api.get("statistics/", **{"from": first, "to": "2026-03-10"}).status_code == 200


def test_the_newest_balance_and_how_long_it_will_last(outbox: list[Any]) -> None:
    api = StaffApi("view_balancereading")
    answer = api.get("balance/")
    assert (answer.status_code, answer.body) == (404, {"code": "not_found", "detail": "Not found."})
    with freeze_time(NOON):
        api.client.force_login(api.user)
        BalanceReading.objects.create(balance=1, currency="Rub", read_at=NOON - timedelta(days=1))
        BalanceReading.objects.create(balance="100.5", currency="Rub", read_at=NOON)
        assert api.get("balance/").body == {
            "balance": "100.5000",
            "currency": "Rub",
            "read_at": "2026-03-10T12:00:00+03:00",
            "spend_per_day": "0.00",
            "ends_on": None,
        }
        DailyStatistics.objects.create(
            date=NOON.date() - timedelta(days=1), total_price=Decimal("20.1")
        )
        answer = api.get("balance/").body
    assert (answer["spend_per_day"], answer["ends_on"]) == ("20.10", "2026-03-15")


def test_the_balance_never_asks_the_provider(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise AssertionError("the provider was asked")

    monkeypatch.setattr("django_voicepassword.provider.factory.client", fail)
    BalanceReading.objects.create(balance=1, currency="Rub")
    assert StaffApi("view_balancereading").get("balance/").status_code == 200
