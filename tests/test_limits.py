"""Budgets: exact in every window, also between processes; named, and free where they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword import limits, verifications
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.models import LimitCounter, Verification
from django_voicepassword.testing import Sent

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [("3/10m", 3, 600), ("10/d", 10, 86400), ("20/h", 20, 3600), ("1/s", 1, 1), ("0/d", 0, 86400), ("5/2d", 5, 172800)],
)
def test_a_rate(text: str, count: int, seconds: int) -> None:
    assert limits.parse_rate(text) == limits.Rate(count, seconds)


@pytest.mark.parametrize("text", ["", "3", "3/", "/h", "3/0m", "3/w", "-1/h", "3/10 m", "٣/h", "3/h ", "3/hour", "1e3/h"])
def test_what_is_no_rate_says_the_form(text: str) -> None:
    with pytest.raises(ValueError, match='write "N/Pu"'):
        limits.parse_rate(text)


def attempt(at: float, **subjects: str) -> int:
    """0 where it was counted, else the seconds to wait."""
    try:
        limits.reserve(subjects or {"phone": "79990000001"}, NOW + timedelta(seconds=at))
    except RateLimited as error:
        return error.retry_after
    return 0


@pytest.mark.django_db
def test_no_window_has_an_edge(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/10s"]})
    assert [attempt(at) for at in (9, 9.5, 10.5, 18.9, 19, 19.2, 19.5)] == [0, 0, 9, 1, 0, 1, 0]


@pytest.mark.django_db
def test_several_rates_hold_together_and_the_longest_wait_is_told(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/10s", "2/h"]})
    assert [attempt(at) for at in (0, 5, 11, 30, 3599, 3600)] == [0, 5, 0, 3570, 1, 0]


@pytest.mark.django_db
def test_a_refusal_costs_nothing_anywhere(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"], "ip": ["2/h"]})
    assert attempt(0, phone="1", ip="192.0.2.1") == 0
    for _ in range(5):
        assert attempt(1, phone="1", ip="192.0.2.1") > 0
    assert attempt(2, phone="2", ip="192.0.2.1") == 0
    with pytest.raises(RateLimited) as caught:
        limits.reserve({"phone": "3", "ip": "192.0.2.1"}, NOW + timedelta(seconds=3))
    assert caught.value.limit == "ip"


@pytest.mark.django_db
def test_what_is_given_back_may_be_taken_again(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/h"]}, DAILY_BUDGET=Decimal(1))
    subjects = {"phone": "79990000001"}
    for _ in range(3):
        limits.reserve(subjects, NOW, Decimal("0.60"))
        limits.release(subjects, NOW, Decimal("0.60"))
    limits.reserve(subjects, NOW, Decimal("0.60"))
    with pytest.raises(BudgetExhausted) as caught:
        limits.reserve({"phone": "79990000002"}, NOW, Decimal("0.60"))
    # Moscow's midnight.
    assert caught.value.retry_after == 9 * 3600


@pytest.mark.django_db
def test_the_budget_is_of_the_day_of_the_provider(configure: Callable[..., None]) -> None:
    configure(DAILY_BUDGET=Decimal("0.35"), LIMITS={})
    evening = datetime(2026, 5, 1, 20, 59, tzinfo=timezone.utc)
    limits.reserve({}, evening, Decimal("0.35"))
    with pytest.raises(BudgetExhausted):
        limits.reserve({}, evening, Decimal("0.35"))
    limits.reserve({}, evening + timedelta(minutes=2), Decimal("0.35"))


@pytest.mark.django_db
def test_a_clock_that_steps_back_opens_nothing(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"]})
    assert attempt(0) == 0
    assert attempt(-3600) > 0
    assert attempt(1) > 0


@pytest.mark.django_db
def test_a_great_rate_keeps_few_entries(configure: Callable[..., None]) -> None:
    configure(LIMITS={"site": ["1000/h"]})
    counted = sum(attempt(at, site="") == 0 for at in range(0, 3600, 3))
    assert counted == 1000
    assert len(json.loads(LimitCounter.objects.get().events)["1000/h"]) <= limits.FINE + 1


@pytest.mark.django_db
def test_one_statement_locks_and_one_writes(configure: Callable[..., None], django_assert_num_queries: Any) -> None:
    configure(LIMITS={"phone": ["3/10m", "10/d"], "ip": ["20/h"], "prefix": ["100/h"], "site": ["9999/d"]})
    subjects = limits.send_subjects("79990000001", "192.0.2.1")
    expected = 2 if connection.features.can_return_rows_from_bulk_insert else 3
    with django_assert_num_queries(expected):
        limits.reserve(subjects, NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["phone", "ip", "prefix", "site"])
def test_each_limit_counts_sends_and_is_named(outbox: list[Sent], configure: Callable[..., None], name: str) -> None:
    configure(LIMITS={"phone": [], "ip": [], name: ["1/h"]}, RESEND_AFTER=0)
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    verification = verifications.start("+7 999 000-00-01", request=request)
    for again in (
        lambda: verifications.start("8 (999) 000-00-01", request=request),
        lambda: verifications.resend(verification.id, request=request),
    ):
        with pytest.raises(RateLimited) as caught:
            again()
        assert caught.value.limit == name
    assert len(outbox) == 1
    verification.refresh_from_db()
    assert (verification.sends, Verification.objects.count()) == (1, 1)
    neighbour = {"phone": "79990000002", "ip": "79990000001", "prefix": "79990010001", "site": ""}[name]
    if neighbour:
        other = RequestFactory().get("/", REMOTE_ADDR="192.0.2.2")
        verifications.start(neighbour, request=other)


@pytest.mark.django_db
def test_wrong_guesses_are_counted_over_all_verifications_of_a_number(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": ["7/d"]})
    guesses = []
    for _ in range(3):
        verification = verifications.start("79990000001")
        wrong = f"{(int(outbox[-1].code) + 1) % 10000:04}"
        for _ in range(3):
            try:
                verifications.check(verification.id, wrong)
            except Exception as error:
                guesses.append(getattr(error, "limit", type(error).__name__))
    assert guesses == ["WrongCode"] * 7 + ["phone_guesses"] * 2
    with pytest.raises(RateLimited):
        verifications.check(verification.id, outbox[-1].code)
    other = verifications.start("79990000002")
    assert verifications.check(other.id, outbox[-1].code).status == "approved"


@pytest.mark.django_db
def test_a_right_guess_is_not_counted_against_the_number(outbox: list[Sent], configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": ["1/d"]})
    for _ in range(3):
        verification = verifications.start("79990000001")
        assert verifications.check(verification.id, outbox[-1].code).status == "approved"


@pytest.mark.django_db
def test_what_is_old_is_purged_and_prices_stay() -> None:
    limits.note_price("sms", Decimal("4.00"), NOW)
    attempt(0)
    assert limits.purge(NOW + timedelta(days=1)) == 1
    assert limits.expected_price("sms") == Decimal("4.00")


@given(
    count=st.integers(min_value=1, max_value=5),
    seconds=st.integers(min_value=1, max_value=20),
    gaps=st.lists(st.floats(min_value=0, max_value=10), max_size=40),
)
def test_no_period_ever_holds_more_than_its_events(count: int, seconds: int, gaps: list[float]) -> None:
    """The rule itself, against a plain list of moments."""
    rate, live, taken, at = limits.Rate(count, seconds), [], [], 0
    for gap in gaps:
        at += int(gap * 1000)
        live = limits._live(live, rate, at)
        if limits._wait(live, rate, at) == 0:
            live = limits._add(live, rate, at)
            taken.append(at)
        within = [one for one in taken if one > at - seconds * 1000]
        assert len(within) <= count
