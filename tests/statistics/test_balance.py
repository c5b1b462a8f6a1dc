"""The balance is stored, a low one is signalled once, and the forecast says how long it lasts."""

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
    """The arguments of each ``balance_low`` signal: (balance, currency, threshold)."""
    received: list[tuple[Any, ...]] = []

    def receive(balance: Any, currency: str, threshold: Any, **kwargs: Any) -> None:
        received.append((balance, currency, threshold))

    signals.balance_low.connect(receive)
    yield received
    signals.balance_low.disconnect(receive)


def read_balances(sandbox: SandboxProcess, *balances: str) -> None:
    """Read each of these balances from the sandbox."""
    for balance in balances:
        sandbox.set_balance(balance)
        statistics.read_balance()


def test_a_low_balance_is_signalled_once_until_it_recovers(
    sandbox: SandboxProcess, alarms: list[Any]
) -> None:
    read_balances(sandbox, "500.00", "100.00", "90.00", "0.00")
    assert alarms == [(Decimal("100.00"), "Rub", Decimal("100"))]
    read_balances(sandbox, "100.01", "99.00", "98.00")
    assert [alarm[0] for alarm in alarms] == [Decimal("100.00"), Decimal("99.00")]
    assert [str(reading) for reading in BalanceReading.objects.order_by("pk")[:2]] == [
        "500.00 Rub",
        "100.00 Rub",
    ]
    assert BalanceReading.objects.count() == 7


def test_without_a_threshold_nothing_is_signalled(
    sandbox: SandboxProcess, alarms: list[Any], configure: Callable[..., None]
) -> None:
    use(configure, sandbox, LOW_BALANCE=None)
    read_balances(sandbox, "1.00", "0.00")
    assert alarms == []


def test_a_send_refused_for_lack_of_money_raises_the_same_alarm(
    sandbox: SandboxProcess, alarms: list[Any]
) -> None:
    sandbox.set_balance("0.10")
    calls = [verifications.start(number).calls.get() for number in ("79990000001", "79990000002")]
    for call in calls:
        placing.place(call.pk)
    statistics.read_balance()
    assert alarms == [(None, "", Decimal("100"))]
    read_balances(sandbox, "500.00", "50.00")
    assert len(alarms) == 2


def test_a_refused_key_raises_and_stores_no_reading(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, API_KEY="wrong")
    with pytest.raises(AccountRefused):
        statistics.read_balance()
    assert not BalanceReading.objects.exists()


def test_the_forecast_uses_the_last_seven_full_days() -> None:
    today = date(2026, 3, 10)
    assert statistics.forecast(today) is None
    BalanceReading.objects.create(balance=Decimal("100.00"), currency="Rub")
    forecast = statistics.forecast(today)
    assert forecast is not None
    assert forecast.ends_on is None
    for days_ago, price in ((0, "999"), (1, "10"), (2, "20"), (3, "30"), (8, "999")):
        DailyStatistics.objects.create(
            date=today - timedelta(days=days_ago), total_price=Decimal(price)
        )
    forecast = statistics.forecast(today)
    assert forecast is not None
    assert (forecast.balance, forecast.spend_per_day, forecast.ends_on) == (
        Decimal("100.00"),
        Decimal("20.00"),
        date(2026, 3, 15),
    )
