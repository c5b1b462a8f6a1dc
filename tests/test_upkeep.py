"""What somebody must do now: when each need begins, when it ends, and how many queries it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.utils import translation
from freezegun import freeze_time

from django_voicepassword import statistics, tasks, upkeep
from django_voicepassword.limits import circuit, counters
from django_voicepassword.limits.guard import lift
from django_voicepassword.limits.guard import state as guard_state
from django_voicepassword.limits.guard.trips import trip
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    DailyStatistics,
    FraudTrip,
    LimitCounter,
    PrefixFigures,
)
from django_voicepassword.upkeep import Kind, Need

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 10, 9, 0, tzinfo=timezone.utc)
TODAY = statistics.provider_today(NOON)


@pytest.fixture(autouse=True)
def site(configure: Callable[..., None]) -> None:
    """A site whose calls are placed by workers, and whose beat is running."""
    configure(TRANSPORT="http", DISPATCH="celery", API_KEY="key", API_URL="http://127.0.0.1:9/")
    upkeep.note_beat(NOON)


@pytest.fixture(autouse=True)
def noon() -> Any:
    with freeze_time(NOON):
        yield


def kinds(now: datetime = NOON) -> list[Kind]:
    return [need.kind for need in upkeep.needs(upkeep.read_figures(), now)]


def text_of(kind: Kind) -> str:
    (need,) = [need for need in upkeep.needs(upkeep.read_figures(), NOON) if need.kind is kind]
    return f"{need.text} {need.advice}".replace("\xa0", " ")


def waiting_call(seconds: float) -> CallRequest:
    return CallRequest.objects.create(
        phone="79991234567", channel="flashcall", created_at=NOON - timedelta(seconds=seconds)
    )


def count_prefix(days_ago: int, started: int, approved: int, prefix: str = "7999") -> None:
    PrefixFigures.objects.create(
        date=TODAY - timedelta(days=days_ago), prefix=prefix, started=started, approved=approved
    )


def spend(days_ago: int, amount: str) -> None:
    day = TODAY - timedelta(days=days_ago)
    DailyStatistics.objects.create(date=day, total_price=Decimal(amount))


def test_nothing_needs_doing() -> None:
    assert kinds() == []


def test_a_call_that_waits_needs_a_worker() -> None:
    call = waiting_call(40)
    assert kinds() == []
    assert kinds(NOON + timedelta(seconds=1)) == [Kind.QUEUE]
    waiting_call(300)
    assert text_of(Kind.QUEUE).startswith(
        "2 calls are not placed yet; the oldest has waited for 5 minutes. Start a worker"
    )
    CallRequest.objects.exclude(pk=call.pk).delete()
    call.claim("", NOON)
    assert kinds(NOON + timedelta(seconds=100)) == []


def test_without_workers_the_advice_is_a_command(configure: Callable[..., None]) -> None:
    configure(DISPATCH="inline")
    waiting_call(57)
    assert text_of(Kind.QUEUE) == (
        "1 call is not placed yet; it has waited for 57 seconds. "
        "Run “manage.py voicepassword_poll”: it places them, or says why not."
    )


def test_a_silent_beat_is_noticed_and_heard_again() -> None:
    assert kinds(NOON + timedelta(seconds=120)) == []
    later = NOON + timedelta(seconds=121)
    assert kinds(later) == [Kind.BEAT]
    with freeze_time(later):
        tasks.poll_calls()
        assert upkeep.last_beat() == later
        assert kinds(later) == []


def test_a_beat_that_never_ran_is_noticed() -> None:
    counters.purge(NOON + timedelta(days=400))
    assert kinds() == []
    LimitCounter.objects.all().delete()
    assert text_of(Kind.BEAT).startswith("The periodic tasks have never run. Start beat")


@pytest.mark.parametrize("values", [{"DISPATCH": "inline"}, {"TRANSPORT": "memory"}])
def test_a_site_without_workers_needs_no_beat(
    configure: Callable[..., None], values: dict[str, str]
) -> None:
    configure(**values)
    assert kinds(NOON + timedelta(days=1)) == []


def test_a_project_whose_tasks_run_at_once_needs_no_beat() -> None:
    current_app.conf.task_always_eager = True
    try:
        assert kinds(NOON + timedelta(days=1)) == []
    finally:
        current_app.conf.task_always_eager = False


def test_money_for_less_than_two_days_is_noticed() -> None:
    BalanceReading.objects.create(balance=Decimal("499.99"), currency="Rub", read_at=NOON)
    spend(1, "300")
    spend(2, "200")
    assert text_of(Kind.MONEY) == (
        "The money lasts for less than two days: the balance is 499.99 ₽, and a day costs "
        "250.00 ₽. Pay into the account."
    )
    BalanceReading.objects.update(balance=Decimal("500"))
    assert kinds() == []


def test_a_low_balance_is_noticed(configure: Callable[..., None]) -> None:
    BalanceReading.objects.create(balance=Decimal("100"), currency="Rub", read_at=NOON)
    configure(LOW_BALANCE=Decimal(100))
    assert text_of(Kind.MONEY) == "The balance is low: 100.00 ₽. Pay into the account."
    BalanceReading.objects.update(balance=Decimal("100.01"))
    assert kinds() == []


def test_a_refused_account_hides_the_need_of_money() -> None:
    BalanceReading.objects.create(balance=Decimal(0), currency="Rub", read_at=NOON)
    circuit.open_circuit("not_enough_money")
    assert kinds() == [Kind.ACCOUNT]
    circuit.note_balance(Decimal(1000))
    assert kinds() == [Kind.MONEY]


def test_an_operator_whose_conversion_fell_is_noticed() -> None:
    count_prefix(28, started=60, approved=51)
    count_prefix(1, started=40, approved=34)
    count_prefix(0, started=20, approved=13)
    assert text_of(Kind.OPERATOR).startswith(
        "Conversion with the operator +7999 has fallen from 85% to 65%. See how its calls end."
    )
    # One more approval: the fall is smaller than 20 points.
    PrefixFigures.objects.filter(date=TODAY).update(approved=14)
    assert kinds() == []


def test_few_verifications_of_today_are_counted_with_those_of_yesterday() -> None:
    count_prefix(9, started=100, approved=90)
    count_prefix(1, started=10, approved=2)
    count_prefix(0, started=9, approved=0)
    assert kinds() == []
    PrefixFigures.objects.filter(date=TODAY).update(started=10)
    assert kinds() == [Kind.OPERATOR]


def test_an_operator_without_history_has_not_fallen() -> None:
    count_prefix(9, started=19, approved=19)
    count_prefix(29 + 1, started=500, approved=500)
    count_prefix(0, started=100, approved=0)
    assert kinds() == []


def test_of_several_operators_the_deepest_fall_is_named() -> None:
    for prefix, approved in (("7901", 60), ("7902", 20), ("7903", 85)):
        count_prefix(5, started=100, approved=85, prefix=prefix)
        count_prefix(0, started=100, approved=approved, prefix=prefix)
    assert [fall.prefix for fall in upkeep.falls(TODAY)] == ["7902", "7901"]
    assert text_of(Kind.OPERATOR).startswith(
        "Conversion has fallen with 2 operators, most of all with +7902: from 85% to 20%."
    )
    with translation.override("ru"):
        assert "у 2 операторов" in text_of(Kind.OPERATOR)


def test_an_outage_is_noticed_until_it_ends(configure: Callable[..., None]) -> None:
    guard_state.note_watch(NOON)
    guard_state.store(guard_state.State(outages={"7999": 0}))
    assert text_of(Kind.OUTAGE).startswith("Calls to +7999 seem not to arrive")
    guard_state.store(guard_state.State(outages={"": 0, "7999": 0}))
    assert text_of(Kind.OUTAGE).startswith("Calls seem not to arrive")
    configure(FRAUD_GUARD="off")
    assert kinds() == []
    configure(FRAUD_GUARD="enforce")
    guard_state.store(guard_state.State())
    assert kinds() == []


def test_an_open_trip_is_noticed_until_it_is_lifted() -> None:
    begun = trip("prefix", "7999", "sends", NOON, failures=60, threshold=50)
    assert text_of(Kind.ATTACK).startswith("An attack is suspected since")
    lift(FraudTrip.objects.get(pk=begun.pk), None)
    assert kinds() == []


def test_the_gravest_comes_first_and_few_queries_are_made(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    circuit.open_circuit("user_disabled")
    waiting_call(60)
    trip("site", "", "sends", NOON, failures=60, threshold=50)
    count_prefix(5, started=100, approved=85)
    count_prefix(0, started=100, approved=5)
    with django_assert_num_queries(3 + 2):
        found = upkeep.needs(upkeep.read_figures(), NOON)
    assert [need.kind for need in found] == [Kind.ACCOUNT, Kind.QUEUE, Kind.ATTACK, Kind.OPERATOR]
    assert [need.is_grave for need in found] == [True, True, False, False]
    with django_assert_num_queries(3):
        assert upkeep.needs(None, NOON) == found[:3]


def test_figures_of_a_notice_are_read_once_a_minute(
    django_assert_num_queries: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    BalanceReading.objects.create(balance=Decimal(0), currency="Rub", read_at=NOON)

    def notice() -> list[Need]:
        return upkeep.needs(upkeep.kept_figures(), NOON)

    with django_assert_num_queries(3 + 3):
        assert [need.kind for need in notice()] == [Kind.MONEY]
    with django_assert_num_queries(3):
        assert [need.kind for need in notice()] == [Kind.MONEY]
    BalanceReading.objects.update(balance=Decimal(1000))
    assert [need.kind for need in notice()] == [Kind.MONEY]
    cache.clear()
    assert notice() == []

    def fail(key: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(cache, "get", fail)
    assert notice() == []
