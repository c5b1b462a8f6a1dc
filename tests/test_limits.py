"""Limits and budgets are exact in every period, and a refusal names its limit and costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from freezegun import freeze_time
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from django_voicepassword import limits, verifications
from django_voicepassword.calls import spending
from django_voicepassword.conf import DEFAULTS
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.limits import rates, recounts
from django_voicepassword.limits.reservations import reserve_send
from django_voicepassword.limits.terms import Terms
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from django_voicepassword.testing import Sent

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [
        ("3/10m", 3, 600),
        ("10/d", 10, 86400),
        ("20/h", 20, 3600),
        ("1/s", 1, 1),
        ("0/d", 0, 86400),
        ("5/2d", 5, 172800),
    ],
)
def test_a_rate_is_parsed(text: str, count: int, seconds: int) -> None:
    assert limits.parse_rate(text) == limits.Rate(count, seconds)


@pytest.mark.parametrize(
    "text", ["", "3", "3/", "/h", "3/0m", "3/w", "-1/h", "3/10 m", "٣/h", "3/h ", "3/hour", "1e3/h"]
)
def test_an_invalid_rate_raises_an_error_with_the_format(text: str) -> None:
    with pytest.raises(ValueError, match='write "N/Pu"'):
        limits.parse_rate(text)


def reserve(subjects: dict[str, str], now: datetime = NOW, price: Decimal | None = None) -> str:
    """Count one event, of the proven lane where it costs something."""
    money = None if price is None else limits.Money(price, is_proven=True)

    def count() -> str:
        return limits.reserve(limits.make_uses(subjects), now, money).commit()

    return limits.in_transaction(count, "default")


def make_call(counted: str, at: datetime = NOW, **values: Any) -> CallRequest:
    """A call for which this was counted."""
    values = {"phone": "79990000001", "counted_address": "192.0.2.1", "is_open": True, **values}
    return CallRequest.objects.create(
        channel="flashcall", created_at=at, counted=counted, lane="proven", **values
    )


def give_back(counted: str, at: datetime = NOW, price: Decimal | None = None) -> None:
    """Give back what was counted for a call that did not leave."""
    spending.give_back(make_call(counted, at, reserved_price=price), is_send_returned=True)


def attempt(at: float, **subjects: str) -> int:
    """Count an event so many seconds after ``NOW``; return 0, or the seconds to wait if refused."""
    try:
        reserve(subjects or {"phone": "79990000001"}, NOW + timedelta(seconds=at))
    except RateLimited as error:
        return error.retry_after
    return 0


@pytest.mark.django_db
def test_the_period_slides_without_an_edge(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/10s"]})
    assert [attempt(at) for at in (9, 9.5, 10.5, 18.9, 19, 19.2, 19.5)] == [0, 0, 9, 1, 0, 1, 0]


@pytest.mark.django_db
def test_several_rates_hold_together_and_the_longest_wait_is_reported(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["1/10s", "2/h"]})
    assert [attempt(at) for at in (0, 5, 11, 30, 3599, 3600)] == [0, 5, 0, 3570, 1, 0]


@pytest.mark.django_db
def test_a_refusal_counts_for_no_limit(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"], "ip": ["2/h"]})
    assert attempt(0, phone="1", ip="192.0.2.1") == 0
    for _ in range(5):
        assert attempt(1, phone="1", ip="192.0.2.1") > 0
    assert attempt(2, phone="2", ip="192.0.2.1") == 0
    with pytest.raises(RateLimited) as caught:
        reserve({"phone": "3", "ip": "192.0.2.1"}, NOW + timedelta(seconds=3))
    assert caught.value.limit == "ip"


@pytest.mark.django_db
def test_released_events_and_money_can_be_used_again(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/h"]}, DAILY_BUDGET=Decimal(1))
    subjects = {"phone": "79990000001"}
    for _ in range(3):
        give_back(reserve(subjects, NOW, Decimal("0.60")), price=Decimal("0.60"))
    reserve(subjects, NOW, Decimal("0.60"))
    with pytest.raises(BudgetExhausted) as caught:
        reserve({"phone": "79990000002"}, NOW, Decimal("0.60"))
    # Seconds until midnight in Moscow.
    assert caught.value.retry_after == 9 * 3600


@pytest.mark.django_db
def test_the_budget_is_renewed_at_the_providers_midnight(configure: Callable[..., None]) -> None:
    configure(DAILY_BUDGET=Decimal("0.35"), LIMITS={})
    evening = datetime(2026, 5, 1, 20, 59, tzinfo=timezone.utc)
    reserve({}, evening, Decimal("0.35"))
    with pytest.raises(BudgetExhausted):
        reserve({}, evening, Decimal("0.35"))
    reserve({}, evening + timedelta(minutes=2), Decimal("0.35"))


@pytest.mark.django_db
def test_a_clock_that_steps_back_frees_no_limit(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"]})
    assert attempt(0) == 0
    assert attempt(-3600) > 0
    assert attempt(1) > 0


@pytest.mark.django_db
def test_a_rate_of_many_events_stores_few_entries(configure: Callable[..., None]) -> None:
    configure(LIMITS={"site": ["400/h"]})
    # A hundredth of the hour is 36 seconds.
    assert sum(attempt(at // 13, site="") == 0 for at in range(450)) == 400
    for text in LimitCounter.objects.values_list("events", flat=True):
        assert len(json.loads(text)["400/h"]) <= 2


@pytest.mark.django_db
def test_a_reservation_locks_in_one_statement_and_writes_in_one(
    configure: Callable[..., None], django_assert_num_queries: Any
) -> None:
    configure(
        LIMITS={"phone": ["3/10m", "10/d"], "ip": ["20/h"], "prefix": ["100/h"], "site": ["9999/d"]}
    )
    uses = limits.send_uses("79990000001", limits.Terms(address="192.0.2.1"))
    expected = 2 if connection.features.can_return_rows_from_bulk_insert else 3
    with django_assert_num_queries(expected):
        limits.reserve(uses, NOW).commit()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["phone", "ip", "prefix", "site"])
def test_each_limit_counts_sends_and_is_named(
    outbox: list[Sent], configure: Callable[..., None], name: str
) -> None:
    configure(LIMITS={"phone": [], "ip": [], name: ["1/h"]}, RESEND_AFTER=0)
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    verification = verifications.start("+7 999 000-00-01", request=request)
    agains: list[Callable[[], Any]] = [
        lambda: verifications.start("8 (999) 000-00-01", request=request),
        lambda: verifications.resend(verification.id, request=request),
    ]
    for again in agains:
        with pytest.raises(RateLimited) as caught:
            again()
        assert caught.value.limit == name
    assert len(outbox) == 1
    verification.refresh_from_db()
    assert (verification.sends, Verification.objects.count()) == (1, 1)
    neighbour = {"phone": "79990000002", "ip": "79990000001", "prefix": "79990010001", "site": ""}[
        name
    ]
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
def test_a_right_guess_is_not_counted_against_the_number(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "ip": [], "phone_guesses": ["1/d"]})
    for _ in range(3):
        verification = verifications.start("79990000001")
        assert verifications.check(verification.id, outbox[-1].code).status == "approved"


@pytest.mark.django_db
def test_old_counters_are_purged_prices_and_noted_moments_stay() -> None:
    limits.note_price("sms", "79990000001", Decimal("4.00"), NOW)
    recounts.note(NOW)
    attempt(0)
    assert limits.purge(NOW + timedelta(days=1)) == 1
    assert limits.expected_price("sms", "79990000001", NOW) == Decimal("4.00")
    assert recounts.last() == NOW


# Without a deadline: a busy machine may stop a process for longer than its 200 ms.
@hypothesis_settings(deadline=None)
@given(
    count=st.integers(min_value=1, max_value=5),
    seconds=st.integers(min_value=1, max_value=20),
    gaps=st.lists(st.floats(min_value=0, max_value=10), max_size=40),
)
def test_no_period_ever_contains_more_events_than_its_rate(
    count: int, seconds: int, gaps: list[float]
) -> None:
    """The rule, checked against a plain list of all counted moments."""
    rate, at = limits.Rate(count, seconds), 0
    live: rates.Entries = []
    counted: list[int] = []
    for gap in gaps:
        at += int(gap * 1000)
        live = rates.live_events(live, rate, at)
        if rates.seconds_to_wait(live, rate, at) == 0:
            live = rates.add_event(live, rate, at)
            counted.append(at)
        within_period = [moment for moment in counted if moment > at - seconds * 1000]
        assert len(within_period) <= count


def test_a_rate_of_many_events_rounds_times_to_a_hundredth_of_its_period() -> None:
    resolutions = [limits.Rate(count, 600).resolution for count in (1, 100, 101, 100_000)]
    assert resolutions == [1, 1, 6000, 6000]
    assert limits.Rate(999_999_999, 1).resolution == 10
    with pytest.raises(FrozenInstanceError):
        limits.Rate(1, 1).count = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        limits.Reservation([], NOW).now = NOW  # type: ignore[misc]


def uses_of(**terms: Any) -> dict[str, tuple[str, ...]]:
    """The counters that one send uses, with their rates."""
    uses = limits.send_uses("79991234567", limits.Terms(**terms))
    return {use.key: use.rates for use in uses}


def test_the_limits_that_a_send_counts_for(configure: Callable[..., None]) -> None:
    configure(
        LIMITS={"phone": ["3/h"], "device": ["6/d"], "ip": ["20/h"], "prefix": ["30/h"], "site": []}
    )
    number, crowd = {"phone:79991234567": ("3/h",)}, {"prefix:7999123": ("30/h",), "site:": ()}
    assert uses_of() == number | crowd
    assert uses_of(address="192.0.2.1") == number | crowd | {"ip:192.0.2.1": ("20/h",)}
    assert uses_of(address="2001:db8:1:2::3") == {
        **number,
        **crowd,
        "ip:2001:db8:1:2::/64": ("20/h",),
        "ip_network:2001:db8:1::/48": ("200/h",),
    }
    assert uses_of(address="192.0.2.1", lane="proven") == number
    assert uses_of(address="2001:db8:1:2::3", is_solved=True) == {
        **number,
        "prefix_solved:7999123": ("300/h",),
        "site_solved:": (),
        "ip_solved:2001:db8:1:2::/64": ("200/h",),
        "ip_network_solved:2001:db8:1::/48": ("2000/h",),
    }


@pytest.mark.parametrize(
    ("rate", "expected"), [("20/h", "200/h"), ("3/10m", "30/10m"), ("999999999/d", "999999999/d")]
)
def test_the_tenfold_of_a_rate_is_a_rate(rate: str, expected: str) -> None:
    assert rates.tenfold(rate) == expected
    assert limits.parse_rate(expected).seconds == limits.parse_rate(rate).seconds


def events(key: str = "phone:79990000001") -> Any:
    return json.loads(LimitCounter.objects.get(key=key).events)


def milliseconds(at: float) -> int:
    return int((NOW + timedelta(seconds=at)).timestamp() * 1000)


@pytest.mark.django_db
def test_events_are_stored_per_rate_and_expired_ones_are_deleted(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["3/10m", "5/h"]})
    assert attempt(0) == attempt(1.5) == 0
    row = LimitCounter.objects.get()
    both = f"[[{milliseconds(0)},1],[{milliseconds(1.5)},1]]"
    assert (row.key, row.amount, row.updated_at) == (
        "phone:79990000001",
        Decimal(0),
        NOW + timedelta(seconds=1.5),
    )
    assert row.events == f'{{"3/10m":{both},"5/h":{both}}}'
    # Rates that were removed from the settings and expired events are deleted.
    configure(LIMITS={"phone": ["3/10m"]})
    assert attempt(601) == 0
    assert events() == {"3/10m": [[milliseconds(1.5), 1], [milliseconds(601), 1]]}


@pytest.mark.django_db
def test_the_limit_with_the_longest_wait_is_named(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/10s"], "prefix": ["1/h"], "ip": ["1/m"]})
    subjects = {"ip": "192.0.2.1", "phone": "1", "prefix": "2"}
    reserve(subjects, NOW)
    with pytest.raises(RateLimited) as caught:
        reserve(subjects, NOW + timedelta(seconds=1))
    assert (type(caught.value), caught.value.limit, caught.value.retry_after) == (
        RateLimited,
        "prefix",
        3599,
    )


@pytest.mark.django_db
def test_a_rate_of_zero_allows_nothing(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["0/20m"]})
    assert attempt(0) == 1200


@pytest.mark.django_db
def test_a_wait_is_rounded_up_to_whole_seconds(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/10s"]})
    assert [attempt(at) for at in (0, 3.999)] == [0, 0]
    assert [attempt(at) for at in (4, 4.001, 9.001, 9.999)] == [6, 6, 1, 1]
    # Exact to the millisecond.
    assert [attempt(at) for at in (10, 10.001, 13.998, 13.999)] == [0, 4, 1, 0]


@pytest.mark.django_db
def test_events_stored_as_one_count_as_long_as_the_last_of_them_may(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["200/1000s"]})
    for at in (0, 9.999, 10, 29.998):
        assert attempt(at) == 0
    stored = [[milliseconds(0), 2], [milliseconds(10), 1], [milliseconds(20), 1]]
    assert events()["200/1000s"] == stored
    rate = limits.Rate(200, 1000)
    # The last of the first entry may have come at 9.999 s.
    assert rates.seconds_to_wait([[0, 150], [10_000, 50]], rate, 20_000) == 990
    assert len(rates.live_events([[0, 150], [10_000, 50]], rate, 1_009_998)) == 2
    assert len(rates.live_events([[0, 150], [10_000, 50]], rate, 1_009_999)) == 1
    assert rates.seconds_to_wait([[0, 1], [10_000, 1]], limits.Rate(1, 1000), 20_000) == 990
    assert rates.seconds_to_wait([[0, 1]], limits.Rate(1, 10_000), 5_000_000) == 5000
    assert rates.seconds_to_wait([], limits.Rate(1, 1), 0) == 0


@pytest.mark.django_db
def test_an_event_is_given_back_from_its_own_entry_only(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["200/1000s"]})
    for at in (0, 5, 20, 40):
        assert attempt(at) == 0
    give_back("phone", NOW + timedelta(seconds=5))
    assert events()["200/1000s"] == [[milliseconds(at), 1] for at in (0, 20, 40)]
    give_back("phone", NOW + timedelta(seconds=29.999))
    assert events()["200/1000s"] == [[milliseconds(at), 1] for at in (0, 40)]
    # An event whose entry is gone takes nothing from another one.
    for gone in (20, 30, 39.999, 50):
        give_back("phone", NOW + timedelta(seconds=gone))
    assert events()["200/1000s"] == [[milliseconds(at), 1] for at in (0, 40)]


@pytest.mark.django_db
@pytest.mark.parametrize(("back", "is_ahead"), [(60, False), (60.001, True)])
def test_clocks_of_servers_may_differ_by_a_minute(
    configure: Callable[..., None], back: float, is_ahead: bool
) -> None:
    configure(LIMITS={"phone": ["2/h"], "ip": ["9/h"]})
    subjects = {"phone": "79990000001", "ip": "192.0.2.1"}
    earlier = NOW - timedelta(seconds=back)
    reserve(subjects, earlier - timedelta(seconds=5))
    reserve({"phone": "79990000001"}, NOW)
    with pytest.raises(RateLimited) as caught:
        reserve(subjects, earlier)
    assert (caught.value.limit, caught.value.retry_after) == ("phone", 3595)
    assert isinstance(caught.value, limits.ClockSkewRateLimited) == is_ahead
    if isinstance(caught.value, limits.ClockSkewRateLimited):
        assert caught.value.keys == ["phone:79990000001"]
        limits.count_from_now(caught.value.keys, earlier)
        assert events()["2/h"] == [[milliseconds(-back - 5), 1], [milliseconds(-back), 1]]


@pytest.mark.django_db
def test_no_event_is_lost_where_a_clock_stepped_back(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["10/m", "1000/d"]})
    ahead = [3600 + 1000 * number for number in range(5)] + [9000 + number for number in range(10)]
    assert {attempt(at) for at in ahead} == {0}
    with freeze_time(NOW), pytest.raises(limits.ClockSkewRateLimited):
        reserve({"phone": "79990000001"})
    assert [attempt(at) for at in (60, 120, 180)] == [0, 0, 0]
    assert sum(count for _, count in events()["1000/d"]) == 18
    # Entries of one time would each give an event back.
    times = [at for at, _ in events()["1000/d"]]
    assert len(times) == len(set(times))


def test_entries_of_one_time_are_added_up() -> None:
    rate, moment = limits.parse_rate("1000/d"), milliseconds(0)
    bucket = rate.bucket(moment)
    live = rates.live_events([[bucket, 5], [bucket, 7]], rate, moment)
    assert rates.add_event(live, rate, moment) == [[bucket, 13]]


@pytest.mark.django_db
def test_without_limits_no_query_is_made(
    configure: Callable[..., None], django_assert_num_queries: Any
) -> None:
    configure(LIMITS={"phone": [], "ip": []}, DAILY_BUDGET=None)
    with django_assert_num_queries(0):
        limits.reserve(
            limits.make_uses({"phone": "1", "prefix": "2"}), NOW, limits.Money(Decimal(1))
        ).commit()
        limits.count_from_now([], NOW)
        limits.adjust_budget(NOW, Decimal(0))
    configure(LIMITS={"phone": [], "ip": []}, DAILY_BUDGET=Decimal(1))
    with django_assert_num_queries(0):
        limits.reserve(limits.make_uses({"phone": "1"}), NOW).commit()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("budget", "price", "amount"), [(None, Decimal(1), None), (5, None, None), (5, Decimal(1), 1)]
)
def test_a_price_counts_only_if_there_is_a_budget(
    configure: Callable[..., None], budget: Any, price: Decimal | None, amount: int | None
) -> None:
    configure(LIMITS={"phone": ["3/h"]}, DAILY_BUDGET=budget)
    reserve({"phone": "1"}, NOW, price)
    assert LimitCounter.objects.filter(key__startswith="budget").exists() == (amount is not None)
    assert limits.spent(NOW) == (amount or 0)


@pytest.mark.django_db
def test_the_money_of_a_day_is_exact(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": []}, DAILY_BUDGET=Decimal("1.0500"))
    for _ in range(3):
        reserve({}, NOW, Decimal("0.35"))
    assert limits.spent(NOW) == Decimal("1.05")
    with pytest.raises(BudgetExhausted):
        reserve({}, NOW, Decimal("0.0001"))
    give_back("")
    limits.adjust_budget(NOW, Decimal("-0.05"))
    limits.adjust_budget(NOW + timedelta(days=1), Decimal("-1"))
    assert limits.spent(NOW) == Decimal("1.00")
    give_back("", price=Decimal("0.35"))
    assert limits.spent(NOW) == Decimal("0.65")
    assert limits.spent(NOW + timedelta(days=1)) == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hour", "minute", "second", "wait"),
    [(0, 0, 0, 21 * 3600), (20, 59, 59, 1), (20, 59, 58.5, 2), (21, 0, 0, 24 * 3600)],
)
def test_an_exhausted_budget_names_the_seconds_to_the_providers_midnight(
    configure: Callable[..., None], hour: int, minute: int, second: float, wait: int
) -> None:
    configure(LIMITS={}, DAILY_BUDGET=Decimal(0))
    with pytest.raises(BudgetExhausted) as caught:
        reserve(
            {},
            datetime(2026, 5, 1, hour, minute, tzinfo=timezone.utc) + timedelta(seconds=second),
            Decimal(1),
        )
    assert caught.value.retry_after == wait


@pytest.mark.django_db
def test_without_use_tz_an_exhausted_budget_names_the_seconds_too(
    configure: Callable[..., None], settings: Any
) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Yekaterinburg"
    configure(LIMITS={}, DAILY_BUDGET=Decimal(0))
    # 01:59:58.5 in Yekaterinburg is a second and a half before midnight in Moscow.
    now = datetime(2026, 5, 2, 1, 59, 58, 500_000)
    with pytest.raises(BudgetExhausted) as caught:
        reserve({}, now, Decimal(1))
    assert caught.value.retry_after == 2


@pytest.mark.django_db
def test_the_expected_price_is_the_dearest_of_30_days_on_that_channel_and_operator() -> None:
    phone, day = "79990000001", timedelta(days=1)

    def expected(channel: str, moment: datetime, number: str = phone) -> Decimal:
        return limits.expected_price(channel, number, moment)

    first = [expected(channel, NOW) for channel in ("flashcall", "voice", "sms")]
    assert first == [Decimal("0.35"), Decimal("0.35"), Decimal("3.30")]
    limits.note_price("voice", phone, Decimal("15"), NOW)
    limits.note_price("voice", phone, Decimal("0.40"), NOW + 10 * day)
    limits.note_price("voice", phone, Decimal("0.20"), NOW + 20 * day)
    assert expected("voice", NOW + 30 * day) == Decimal("15")
    assert expected("voice", NOW + 31 * day) == Decimal("0.40")
    assert expected("voice", NOW + 41 * day) == Decimal("0.20")
    assert expected("voice", NOW + 51 * day) == Decimal("0.35")
    # The next digits belong to another number of the same operator, or to another operator.
    assert expected("voice", NOW, "79998887766") == Decimal("15")
    assert expected("voice", NOW, "79160000001") == Decimal("0.35")
    assert expected("flashcall", NOW) == Decimal("0.35")


@pytest.mark.django_db
def test_a_price_that_is_seen_again_is_expected_for_30_days_more() -> None:
    phone = "79990000001"
    for day in range(0, 60, 5):
        limits.note_price("voice", phone, Decimal("15"), NOW + timedelta(days=day))
    last = NOW + timedelta(days=55 + 30)
    assert limits.expected_price("voice", phone, last) == Decimal("15")
    assert json.loads(LimitCounter.objects.get().events) == {
        "seen": [[(NOW + timedelta(days=55)).timestamp() * 1000, 150_000]]
    }


@pytest.mark.django_db
def test_a_price_that_is_seen_at_every_call_is_not_written_at_every_call(
    django_assert_num_queries: Any,
) -> None:
    limits.note_price("voice", "79990000001", Decimal("0.35"), NOW)
    with django_assert_num_queries(1):
        limits.note_price("voice", "79990000002", Decimal("0.35"), NOW + timedelta(minutes=59))


@pytest.mark.django_db
def test_unblock_removes_the_counters_of_one_number(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"], "phone_guesses": ["1/h"], "ip": ["2/h"]})
    for phone in ("79990000001", "79990000002"):
        reserve({"phone": phone, "phone_guesses": phone, "ip": "192.0.2.1"})
    for phone in ("79990000003", "79990000001"):
        assert limits.unblock(phone, NOW) == 0
        assert limits.usage(phone, NOW) == []
    assert len(limits.usage("79990000002", NOW)) == 2
    with pytest.raises(RateLimited):
        reserve({"ip": "192.0.2.1"}, NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("guesses", ["phone_guesses", "long_guesses"])
def test_unblock_gives_sends_each_time_and_guesses_once_in_24_hours(
    configure: Callable[..., None], guesses: str
) -> None:
    configure(LIMITS={"phone": ["1/d"], guesses: ["1/d"]})
    phone = "79990000001"
    # With nothing to forget, the one time of the day is not used up.
    assert limits.unblock(phone, NOW) == 0
    for hours, wait in ((0, 0), (1, 23 * 3600), (23, 3600), (24, 0), (25, 23 * 3600)):
        now = NOW + timedelta(hours=hours)
        reserve({"phone": phone}, now)
        if not any(rate.startswith(guesses) for rate, _, _ in limits.usage(phone, now)):
            reserve({guesses: phone}, now)
        assert limits.unblock(phone, now) == wait
        limits.reserve(limits.make_uses({"phone": phone}), now)
        left = [] if wait == 0 else [(f"{guesses} 1/d", 1, 1)]
        assert limits.usage(phone, now) == left


@pytest.mark.django_db
def test_unblock_gives_the_sends_of_solved_challenges_again(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"phone": ["1/d"], "ip": ["1/h"]})
    verification = Verification(phone="79990000001")
    terms = Terms(address="192.0.2.1", is_solved=True)
    for _ in range(4):
        reserve_send(verification, terms, NOW)
    assert limits.usage("79990000001", NOW) == [("phone 1/d", 1, 1), ("phone_solved 3/d", 3, 3)]
    with pytest.raises(RateLimited):
        reserve_send(verification, terms, NOW)
    limits.unblock("79990000001", NOW)
    assert limits.usage("79990000001", NOW) == []
    reserve_send(verification, terms, NOW)
    # So has the address ten times its rate, until it is unblocked.
    for number in range(2, 7):
        reserve_send(Verification(phone=f"7999000000{number}"), terms, NOW)
    refused = Verification(phone="79990000008")
    with pytest.raises(RateLimited):
        reserve_send(refused, terms, NOW)
    limits.unblock_address("192.0.2.1")
    reserve_send(refused, terms, NOW)


@pytest.mark.django_db
def test_unblock_forgets_the_guesses_at_a_test_number_from_all_addresses(
    configure: Callable[..., None],
) -> None:
    numbers = ("79000000001", "79000000002", "79990000003")
    configure(TEST_NUMBERS=dict.fromkeys(numbers[:2], "482139"), LIMITS={"phone_guesses": ["2/d"]})
    addresses = ("192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8:1:1::1")
    requests = [RequestFactory().get("/", REMOTE_ADDR=address) for address in addresses]
    for phone in numbers:
        verification = Verification(phone=phone)
        for request in [*requests, None]:
            with suppress(RateLimited):
                limits.reserve_guess(verification, NOW, request).commit()
    full = [("phone_guesses 2/d", 2, 2)]
    # Of a test number: the most of one address, and the network of the IPv6 address.
    test_number = [*full, ("phone_guesses 20/d", 1, 20)]
    assert [limits.usage(phone, NOW) for phone in numbers] == [test_number, test_number, full]
    assert limits.unblock(numbers[0], NOW) == 0
    assert [limits.usage(phone, NOW) for phone in numbers] == [[], test_number, full]
    for request in requests[1:]:
        limits.reserve_guess(Verification(phone=numbers[0]), NOW, request).commit()
    assert limits.unblock(numbers[0], NOW) == 24 * 3600


@pytest.mark.django_db
def test_usage_lists_the_used_limits_of_one_number(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["3/10m", "200/d"], "phone_guesses": ["5/d"], "ip": ["9/h"]})
    assert limits.usage("79990000001", NOW) == []
    for at in (0, 1, 500):
        reserve({"phone": "79990000001", "ip": "79990000001"}, NOW + timedelta(seconds=at))
    reserve({"phone_guesses": "79990000001"}, NOW)
    # The second event is exactly ten minutes old and no longer counts.
    later = NOW + timedelta(seconds=601)
    expected = [("phone 3/10m", 1, 3), ("phone 200/d", 3, 200), ("phone_guesses 5/d", 1, 5)]
    assert limits.usage("79990000001", later) == expected
    with freeze_time(later):
        assert limits.usage("79990000001") == expected
    assert limits.usage("79990000002", later) == []


@pytest.mark.django_db
def test_counters_in_use_are_not_purged(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/d"]})
    assert attempt(0) == 0
    # give_back() renews the time of its row, so the row is in use.
    assert attempt(0, phone="79990000002") == 0
    limits.give_back(make_call("phone", phone="79990000002"))
    limits.raise_alarm("balance")
    LimitCounter.objects.filter(key="alarm:balance").update(updated_at=NOW)
    assert limits.purge(NOW) == 0
    assert limits.purge(NOW + timedelta(seconds=1)) == 1
    assert set(LimitCounter.objects.values_list("key", flat=True)) == {
        "phone:79990000002",
        "alarm:balance",
    }


def test_the_longest_period_is_that_of_any_rate(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["3/10m"], "ip": []})
    # The limits for known devices are per day.
    assert limits.longest_period() == timedelta(days=1)
    configure(LIMITS={"phone": ["3/10m", "9/30d"], "ip": ["1/h"]})
    assert limits.longest_period() == timedelta(days=30)
    configure(LIMITS={name: [] for name in limits.NAMES})
    # There still is phone_solved.
    assert limits.longest_period() == timedelta(days=1)


@pytest.mark.django_db
def test_an_alarm_is_raised_once_until_it_is_cleared() -> None:
    assert not limits.is_raised("balance")
    assert [limits.raise_alarm("balance") for _ in range(3)] == [True, False, False]
    assert limits.raise_alarm("polling")
    assert limits.is_raised("balance")
    limits.clear_alarm("balance")
    assert [limits.is_raised(name) for name in ("balance", "polling")] == [False, True]
    assert limits.raise_alarm("balance")


@pytest.mark.django_db
def test_a_lock_creates_its_row_once(django_assert_num_queries: Any) -> None:
    for _ in range(2):
        limits.lock("statistics:2026-05-01")
    assert list(LimitCounter.objects.values_list("key", "events", "amount")) == [
        ("statistics:2026-05-01", "{}", Decimal(0))
    ]


@pytest.mark.django_db
def test_limits_are_exact_on_a_database_without_returning(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """The path for MariaDB, tested on any database."""
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", False)
    configure(LIMITS={"phone": ["2/h"], "ip": ["9/h"]}, DAILY_BUDGET=Decimal(1))
    # The first send of a day makes the rows of its money.
    reserve({"phone": "79990000002"}, NOW, Decimal("0.35"))
    # And a savepoint.
    with django_assert_num_queries(3 + 2):
        reserve({"phone": "79990000001", "ip": "192.0.2.1"}, NOW, Decimal("0.35"))
    assert [attempt(at) for at in (1, 2)] == [0, 3598]
    assert limits.spent(NOW) == Decimal("0.70")
    assert events("ip:192.0.2.1") == {"9/h": [[milliseconds(0), 1]]}
    # The release changes no other row.
    give_back("phone")
    assert events() == {"2/h": [[milliseconds(1), 1]]}
    assert events("phone:79990000002") == {"2/h": [[milliseconds(0), 1]]}


def test_the_names_of_the_limits_are_those_of_the_default_setting() -> None:
    assert tuple(DEFAULTS["LIMITS"]) == limits.NAMES


def test_one_rate_with_events_in_the_future_is_enough_for_is_ahead() -> None:
    assert rates.is_ahead({"1/h": [], "2/h": [[5, 1]], "3/h": [[5, 1], [60_011, 1]]}, 10)
    assert not rates.is_ahead({"1/h": [], "3/h": [[5, 1], [60_010, 1]]}, 10)
