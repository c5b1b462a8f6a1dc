"""Counters of several rows: exactly N, whatever row is looked at, and the money likewise."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_voicepassword import limits
from django_voicepassword.exceptions import BudgetExhausted, RateLimited
from django_voicepassword.limits import budget, rates
from django_voicepassword.models import CallRequest, LimitCounter

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def _rows_of_little_money(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few roubles are spread over several rows already."""
    monkeypatch.setattr(budget, "MONEY_OF_ROW", 1)


def reserve(at: float = 0, price: str = "", is_proven: bool = False, **subjects: str) -> str:
    """Count one event so many seconds after NOW; return what counted it."""
    money = limits.Money(Decimal(price), is_proven) if price else None
    uses, now = limits.make_uses(subjects), NOW + timedelta(seconds=at)
    return limits.in_transaction(lambda: limits.reserve(uses, now, money).commit(), "default")


def is_accepted(at: float = 0, **values: Any) -> bool:
    try:
        reserve(at, **values)
    except (RateLimited, BudgetExhausted):
        return False
    return True


def rows(prefix: str) -> dict[str, LimitCounter]:
    return {row.key: row for row in LimitCounter.objects.filter(key__startswith=prefix)}


@pytest.mark.parametrize(
    ("rate", "names"),
    [
        ("1/h", ["site:"]),
        ("19/h", ["site:"]),
        ("20/h", ["site:#0", "site:#1"]),
        ("64/h", [f"site:#{row}" for row in range(6)]),
        ("10000/h", [f"site:#{row}" for row in range(64)]),
    ],
)
def test_a_counter_has_as_many_rows_as_its_rate_needs(
    configure: Callable[..., None], rate: str, names: list[str]
) -> None:
    configure(LIMITS={"site": [rate]})
    use = limits.make_use("site", "")
    assert [use.row_key(row) for row in range(use.rows)] == names
    shares = [share.count for share in use.shares(rate)]
    assert sum(shares) == limits.parse_rate(rate).count
    assert max(shares) - min(shares) <= 1


def test_only_the_limits_that_many_numbers_share_are_split(configure: Callable[..., None]) -> None:
    names = ("phone", "device", "phone_guesses", "ip", "ip_network", "prefix", "site")
    configure(LIMITS={name: ["500/h"] for name in limits.NAMES})
    split = [name for name in names if limits.make_use(name, "x").rows > 1]
    assert split == ["ip", "ip_network", "prefix", "site"]


@pytest.mark.parametrize("count", [7, 20, 64])
def test_a_split_rate_is_the_rate(configure: Callable[..., None], count: int) -> None:
    """As a plain list of all moments says: never more than N, no refusal while one is free."""
    configure(LIMITS={"site": [f"{count}/100s"]})
    chance, at = random.Random(count), 0.0
    counted: list[float] = []
    for _ in range(4 * count):
        at += round(chance.choice([0, 0, 0.5, 1, 200 / count]), 3)
        is_free = sum(moment > at - 100 for moment in counted) < count
        assert is_accepted(at, site="") == is_free
        if is_free:
            counted.append(at)
    assert len(counted) > count


def test_a_split_rate_tells_when_its_first_row_has_room(configure: Callable[..., None]) -> None:
    configure(LIMITS={"site": ["20/h"]})
    for at in range(20):
        reserve(at, site="")
    for later, wait in ((30, 3570), (3599.5, 1)):
        with pytest.raises(RateLimited) as caught:
            reserve(later, site="")
        assert (caught.value.limit, caught.value.retry_after) == ("site", wait)
    assert [is_accepted(3600, site="") for _ in range(2)] == [True, False]


def fill(key: str, **events: int) -> None:
    """Put so many events of each rate into a row; a rate is written as h24 for 24/h."""
    moment = int(NOW.timestamp() * 1000)
    texts = {f"{rate[1:]}/{rate[0]}": [[moment, count]] for rate, count in events.items()}
    LimitCounter.objects.update_or_create(
        key=key, defaults={"events": json.dumps(texts), "updated_at": NOW}
    )


def test_rates_with_room_in_different_rows_are_counted_in_those(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"site": ["20/h", "40/d"]})
    fill("site:#0", h20=10, d40=10)
    fill("site:#1", h20=5, d40=20)
    assert reserve(1, site="") == "site#1:20/h site#0:40/d"
    assert rows("site:")["site:#0"].events.count(",1]") == 1
    call = {"phone": "79990000001", "created_at": NOW + timedelta(seconds=1)}
    limits.give_back(make_call("site#1:20/h site#0:40/d", **call))
    assert json.loads(rows("site:")["site:#0"].events)["40/d"] == [[NOW.timestamp() * 1000, 10]]
    assert json.loads(rows("site:")["site:#1"].events)["20/h"] == [[NOW.timestamp() * 1000, 5]]


def make_call(counted: str, **values: Any) -> CallRequest:
    return CallRequest.objects.create(channel="flashcall", counted=counted, **values)


def test_a_refused_send_locks_one_row_and_reads_the_others(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={"site": ["10000/h"]})
    for row in range(64):
        fill(f"site:#{row}", h10000=157)
    with (
        CaptureQueriesContext(
            connection,
        ) as queries,
        pytest.raises(RateLimited),
    ):
        reserve(1, site="")
    locks = [query["sql"] for query in queries if query["sql"].startswith("INSERT")]
    assert len(locks) == 1
    assert locks[0].count("site:#") == 1


def test_a_send_looks_at_one_row_of_each_counter(configure: Callable[..., None]) -> None:
    configure(
        LIMITS={"site": ["10000/h"], "ip": ["200/h"], "prefix": ["200/h"]}, DAILY_BUDGET=10_000
    )
    # The day's first send looks at all rows of its money.
    reserve(price="0.35")
    with CaptureQueriesContext(connection) as queries:
        reserve(price="0.35", site="", ip="192.0.2.1", prefix="7999000")
    lock, write = [query["sql"] for query in queries if query["sql"].startswith("INSERT")]
    for sql in (lock, write):
        assert sql.count("#") == 5


def test_a_row_of_a_great_rate_keeps_times_to_a_hundredth_of_the_whole_period() -> None:
    shares = limits.Rate(1000, 3600).split(16)
    assert {share.resolution for share in shares} == {36_000}
    assert [share.count for share in shares] == [63] * 8 + [62] * 8
    assert {share.resolution for share in limits.Rate(64, 3600).split(6)} == {1}
    assert rates.spread(-3, 2) == [-1, -2]


@pytest.mark.parametrize("money", ["0.35", "2.45", "22.40", "140"])
def test_the_money_of_a_day_pays_exactly_what_it_can(
    configure: Callable[..., None], money: str
) -> None:
    configure(LIMITS={}, DAILY_BUDGET=Decimal(money), PROVEN_SHARE=0)
    fits = int(Decimal(money) / Decimal("0.35"))
    accepted = sum(is_accepted(price="0.35", is_proven=bool(n % 2)) for n in range(fits + 5))
    assert accepted == fits
    assert limits.spent(NOW) == fits * Decimal("0.35")
    # What is left pays what is cheaper.
    assert is_accepted(price="0.0001") == (Decimal(money) % Decimal("0.35") > 0)


def test_one_dear_send_is_paid_from_the_rest_of_all_rows(configure: Callable[..., None]) -> None:
    configure(LIMITS={}, DAILY_BUDGET=16, PROVEN_SHARE=0)
    for _ in range(16):
        reserve(price="0.50")
    assert is_accepted(price="8.00")
    assert not is_accepted(price="0.01")
    assert limits.spent(NOW) == 16


@pytest.mark.parametrize(("more", "fits"), [("10", 0), ("2", 0), ("40", 24), ("20.5", 4)])
def test_a_budget_that_changes_in_the_day_counts_what_is_spent(
    configure: Callable[..., None], more: str, fits: int
) -> None:
    """Whatever rows it was spent from."""
    configure(LIMITS={}, DAILY_BUDGET=160, PROVEN_SHARE=0)
    for _ in range(16):
        reserve(price="1")
    row = LimitCounter.objects.get(key="budget:2026-05-01#0")
    LimitCounter.objects.filter(key__startswith="budget:").update(amount=0)
    LimitCounter.objects.filter(pk=row.pk).update(amount=16)
    configure(LIMITS={}, DAILY_BUDGET=Decimal(more), PROVEN_SHARE=0)
    assert sum(is_accepted(price="1", is_proven=True) for _ in range(30)) == fits


def test_a_correction_that_costs_more_takes_from_all_rows(configure: Callable[..., None]) -> None:
    configure(LIMITS={}, DAILY_BUDGET=160, PROVEN_SHARE=0)
    reserve(price="1", is_proven=True)
    limits.adjust_budget(NOW, Decimal(150), is_proven=True)
    assert sum(is_accepted(price="1", is_proven=True) for _ in range(20)) == 9
    # More is spent than there is: what is given back to one row is not spent again.
    limits.adjust_budget(NOW, Decimal(8), is_proven=True)
    for _ in range(7):
        limits.adjust_budget(NOW, Decimal(-1), is_proven=True)
        assert not is_accepted(price="1", is_proven=True)
    limits.adjust_budget(NOW, Decimal(-2), is_proven=True)
    assert [is_accepted(price="1", is_proven=True) for _ in range(2)] == [True, False]
    assert limits.spent(NOW) == 160


def test_a_reservation_is_raised_as_far_as_all_rows_together_can_pay(
    configure: Callable[..., None],
) -> None:
    configure(LIMITS={}, DAILY_BUDGET=160, PROVEN_SHARE=0)
    for _ in range(100):
        reserve(price="1", is_proven=True)

    def raise_to(price: int) -> bool:
        money = limits.Money(Decimal(price), is_proven=True)
        return limits.raise_reservation(NOW, Decimal(1), money, NOW)

    assert (raise_to(62), limits.spent(NOW)) == (False, Decimal(100))
    assert (raise_to(61), limits.spent(NOW)) == (True, Decimal(160))
    assert raise_to(1)
    limits.adjust_budget(NOW, Decimal("0.01"), is_proven=True)
    assert not raise_to(1)


def test_the_unproven_lane_leaves_the_proven_share(configure: Callable[..., None]) -> None:
    configure(LIMITS={}, DAILY_BUDGET=100, PROVEN_SHARE=0.3)
    assert sum(is_accepted(price="1") for _ in range(80)) == 70
    assert sum(is_accepted(price="1", is_proven=True) for _ in range(40)) == 30
    # What comes back to the one lane is not spent by the other.
    limits.adjust_budget(NOW, Decimal(-5), is_proven=True)
    assert not is_accepted(price="1")
    limits.adjust_budget(NOW, Decimal(-1))
    assert [is_accepted(price="1") for _ in range(2)] == [True, False]
    assert sum(is_accepted(price="1", is_proven=True) for _ in range(10)) == 5


@pytest.mark.parametrize(("money", "fits"), [("0.40", 1), ("0.35", 1), ("0.34", 0), ("0", 0)])
def test_one_unproven_send_fits_a_small_budget(
    configure: Callable[..., None], money: str, fits: int
) -> None:
    configure(LIMITS={}, DAILY_BUDGET=Decimal(money), PROVEN_SHARE=0.9)
    assert sum(is_accepted(price="0.35") for _ in range(3)) == fits


def test_the_rows_of_a_day_are_made_once(configure: Callable[..., None]) -> None:
    configure(LIMITS={}, DAILY_BUDGET=1000, PROVEN_SHARE=0.3)
    for _ in range(20):
        reserve(price="0.35")
    assert len(rows("budget:2026-05-01#")) == len(rows("budget_unproven:")) == budget.ROWS


@pytest.mark.parametrize(("money", "expected"), [(0, 1), (1, 1), (9, 9), (1000, 64)])
def test_a_pot_has_as_many_rows_as_its_money_needs(
    configure: Callable[..., None], money: int, expected: int
) -> None:
    configure(DAILY_BUDGET=money)
    (pot,) = budget.pots(NOW, limits.Money(Decimal("0.35"), is_proven=True))
    parts = [part for part in pot.parts if part]
    assert (pot.rows, len(parts), sum(parts)) == (expected, expected * bool(money), money)
