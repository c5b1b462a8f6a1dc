"""The balance: kept, told once when it is low, and how long it will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from django_voicepassword import signals, statistics, verifications
from django_voicepassword.calls import placing
from django_voicepassword.exceptions import AccountRefused
from django_voicepassword.models import BalanceReading, DailyStatistics
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> SandboxProcess:
    process.reset()
    use(configure, process)
    return process


def use(configure: Callable[..., None], sandbox: SandboxProcess, **keys: Any) -> None:
    configure(**{**sandbox.settings, "LOW_BALANCE": Decimal("100"), **keys})


@pytest.fixture
def alarms() -> Iterator[list[tuple[Any, ...]]]:
    heard: list[tuple[Any, ...]] = []

    def hear(balance: Any, currency: str, threshold: Any, **kwargs: Any) -> None:
        heard.append((balance, currency, threshold))

    signals.balance_low.connect(hear)
    yield heard
    signals.balance_low.disconnect(hear)


def read(sandbox: SandboxProcess, *balances: str) -> None:
    for balance in balances:
        sandbox.set_balance(balance)
        statistics.read_balance()


def test_a_fall_is_told_once_not_each_hour(sandbox: SandboxProcess, alarms: list[Any]) -> None:
    read(sandbox, "500.00", "100.00", "90.00", "0.00")
    assert alarms == [(Decimal("100.00"), "Rub", Decimal("100"))]
    read(sandbox, "100.01", "99.00", "98.00")
    assert [alarm[0] for alarm in alarms] == [Decimal("100.00"), Decimal("99.00")]
    assert [str(one) for one in BalanceReading.objects.order_by("pk")[:2]] == [
        "500.00 Rub",
        "100.00 Rub",
    ]
    assert BalanceReading.objects.count() == 7


def test_without_a_threshold_nothing_is_told(
    sandbox: SandboxProcess, alarms: list[Any], configure: Callable[..., None]
) -> None:
    use(configure, sandbox, LOW_BALANCE=None)
    read(sandbox, "1.00", "0.00")
    assert alarms == []


def test_a_send_that_is_refused_for_money_is_the_same_alarm(
    sandbox: SandboxProcess, alarms: list[Any]
) -> None:
    sandbox.set_balance("0.10")
    for number in ("79990000001", "79990000002"):
        placing.place(verifications.start(number).calls.get().pk)
    statistics.read_balance()
    assert alarms == [(None, "", Decimal("100"))]
    read(sandbox, "500.00", "50.00")
    assert len(alarms) == 2


def test_a_refused_key_is_an_error_and_keeps_no_reading(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, API_KEY="wrong")
    with pytest.raises(AccountRefused):
        statistics.read_balance()
    assert not BalanceReading.objects.exists()


def test_the_forecast_goes_by_the_last_full_days() -> None:
    today = date(2026, 3, 10)
    assert statistics.forecast(today) is None
    BalanceReading.objects.create(balance=Decimal("100.00"), currency="Rub")
    told = statistics.forecast(today)
    assert told is not None
    assert told.ends_on is None
    for ago, price in ((0, "999"), (1, "10"), (2, "20"), (3, "30"), (8, "999")):
        DailyStatistics.objects.create(date=today - timedelta(days=ago), total_price=Decimal(price))
    told = statistics.forecast(today)
    assert told is not None
    assert (told.balance, told.spend_per_day, told.ends_on) == (
        Decimal("100.00"),
        Decimal("20.00"),
        date(2026, 3, 15),
    )
