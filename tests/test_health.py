"""The health checks: each problem is reported with advice and without the key.

The provider is asked rarely.
"""

from __future__ import annotations

import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_app
from django.core.cache import cache
from django.core.cache.backends import base as caches
from django.core.cache.backends import locmem
from django.test import Client
from django.urls import path
from django.utils import timezone

from django_voicepassword import limits, statistics, tasks, upkeep
from django_voicepassword.calls import broker
from django_voicepassword.limits import alarms, circuit
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics
from tests.missing_table import missing_table
from tests.ports import closed_port
from tests.sandbox_process import SandboxProcess

base = pytest.importorskip("health_check.base")
views = pytest.importorskip("health_check.views")

MODULE = "django_voicepassword.contrib.health"
KINDS = ["Key", "Balance", "Broker", "Queue", "Beat", "Sync"]
ALL_OK = dict.fromkeys(KINDS, "OK")


def page(*checks: Any) -> Callable[..., Any]:
    view: Callable[..., Any] = views.HealthCheckView.as_view(checks=checks)
    return view


urlpatterns = [
    path("health/", page(*[f"{MODULE}.VoicePassword{kind}" for kind in KINDS])),
    path("health/Balance/", page(f"{MODULE}.VoicePasswordBalance")),
    path(
        "health/patient/",
        page(
            *[
                (f"{MODULE}.VoicePassword{kind}", {"max_age": timedelta(hours=30)})
                for kind in ("Key", "Sync")
            ]
        ),
    ),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture(autouse=True)
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> Iterator[SandboxProcess]:
    """The provider. Its balance was read and its current day synced just now."""
    process.reset()
    cache.clear()
    configure(**process.settings, LOW_BALANCE=Decimal("100"))
    BalanceReading.objects.create(balance=Decimal("1000"), currency="Rub")
    DailyStatistics.objects.create(date=statistics.provider_today())
    upkeep.note_beat()
    with using_broker("memory://"):
        yield process


@contextmanager
def using_broker(address: str, **conf: Any) -> Iterator[None]:
    """Make a Celery app with this broker the current one."""
    usual = current_app._get_current_object()
    app = Celery(f"app-{uuid.uuid4().hex}", broker=address, set_as_current=False)
    app.conf.update(conf)
    app.set_current()
    try:
        yield
    finally:
        usual.set_current()


def check_health(client: Client, address: str = "/health/", **headers: str) -> dict[str, str]:
    """Return the text of each check."""
    answer = client.get(address, headers={"accept": "application/json", **headers})
    results = {
        name.removeprefix("VoicePassword").removesuffix("()"): text
        for name, text in answer.json().items()
    }
    assert answer.status_code == (200 if set(results.values()) == {"OK"} else 500)
    return results


def failing(results: dict[str, str]) -> set[str]:
    return {kind for kind, text in results.items() if text != "OK"}


def age_reading(hours: float) -> None:
    """Change when the balance was last read."""
    BalanceReading.objects.update(read_at=timezone.now() - timedelta(hours=hours))


def request_count(sandbox: SandboxProcess) -> int:
    return len(sandbox.ledger()["requests"])


@pytest.fixture
def closed_address() -> Iterator[str]:
    """host:port where no server listens."""
    with closed_port() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def silent_address() -> Iterator[str]:
    """host:port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "{}:{}".format(*server.getsockname())


def test_fresh_stored_data_is_enough(client: Client, sandbox: SandboxProcess) -> None:
    age_reading(1.9)
    assert [check_health(client) for _ in range(3)] == [ALL_OK] * 3
    assert request_count(sandbox) == 0


def test_an_old_reading_causes_one_request_and_is_not_replaced(
    client: Client, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    age_reading(2.1)
    # One request, although two checks need the answer at the same time; then once a minute.
    for later, requests in ((0, 1), (30, 1), (61, 2)):
        clock = SimpleNamespace(time=lambda seconds=later: time.time() + seconds)
        for module in (locmem, caches):
            monkeypatch.setattr(module, "time", clock)
        assert check_health(client) == ALL_OK
        assert request_count(sandbox) == requests
    assert BalanceReading.objects.count() == 1


def test_without_any_reading_the_provider_is_asked(client: Client, sandbox: SandboxProcess) -> None:
    BalanceReading.objects.all().delete()
    assert check_health(client) == ALL_OK
    assert request_count(sandbox) == 1


@pytest.mark.parametrize("transport", ["memory", "console"])
def test_transports_without_real_calls_are_always_ok(
    client: Client, configure: Callable[..., None], closed_address: str, transport: str
) -> None:
    BalanceReading.objects.all().delete()
    DailyStatistics.objects.all().delete()
    configure(TRANSPORT=transport, DISPATCH=None, API_KEY="")
    with using_broker(f"amqp://{closed_address}"):
        assert check_health(client) == ALL_OK


def test_a_refused_key_is_an_error_that_does_not_contain_it(
    client: Client, configure: Callable[..., None]
) -> None:
    age_reading(5)
    configure(API_KEY="wrong-key-of-the-site")
    results = check_health(client)
    assert failing(results) == {"Key", "Balance"}
    assert results["Key"].startswith(
        "Unavailable: VoicePassword refuses the account (authorisation_failed): compare API_KEY"
    )
    assert results["Balance"].startswith("Warning: The balance is not known")


@pytest.mark.parametrize(
    ("alarm", "kinds"), [(alarms.ACCOUNT_REFUSED, {"Key"}), (alarms.BALANCE_LOW, {"Balance"})]
)
def test_an_alarm_overrides_a_fresh_reading(
    client: Client,
    sandbox: SandboxProcess,
    configure: Callable[..., None],
    alarm: str,
    kinds: set[str],
) -> None:
    configure(API_KEY="wrong-key-of-the-site")
    assert check_health(client) == ALL_OK
    if alarm == alarms.ACCOUNT_REFUSED:
        circuit.open_circuit("user_disabled")
    else:
        limits.raise_alarm(alarm)
    for _ in range(2):
        assert failing(check_health(client)) == kinds
    assert request_count(sandbox) == 1


@pytest.mark.parametrize("form", ["html", "json", "text", "atom", "rss", "openmetrics"])
@pytest.mark.parametrize("key", ["sandbox-key", "wrong-key-of-the-site"])
def test_no_answer_contains_the_key(
    client: Client,
    settings: Any,
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    key: str,
    form: str,
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "health_check"]
    age_reading(5)
    configure(API_KEY=key, LOW_BALANCE=Decimal(5000))
    answer = client.get(
        "/health/", {"format": form} if form != "html" else {}, headers={"accept": "text/html"}
    )
    assert "VoicePasswordKey" in answer.content.decode()
    assert key not in answer.content.decode() + caplog.text


def test_a_corrected_key_is_tried_at_once(
    client: Client, sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    age_reading(5)
    configure(API_KEY="wrong-key-of-the-site")
    assert failing(check_health(client)) == {"Key", "Balance"}
    configure(API_KEY=sandbox.key)
    assert check_health(client) == ALL_OK


def test_an_unreachable_provider_is_a_warning_with_the_age_of_the_reading(
    client: Client, configure: Callable[..., None], closed_address: str
) -> None:
    age_reading(5)
    configure(API_URL=f"http://{closed_address}/")
    results = check_health(client)
    assert failing(results) == {"Key", "Balance"}
    for kind in ("Key", "Balance"):
        assert results[kind].startswith("Warning: ")
        assert results[kind].endswith(
            "The balance was last read 5\xa0hours ago: are beat and a worker running?"
        )
    BalanceReading.objects.all().delete()
    assert check_health(client)["Key"].endswith(
        "The balance was never read: are beat and a worker running?"
    )


def test_the_clients_timeout_ends_a_request_to_a_silent_provider(
    client: Client,
    configure: Callable[..., None],
    silent_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The library would report the provider as unavailable one second after its own limit.
    monkeypatch.setattr(base.HealthCheck, "timeout", timedelta(0), raising=False)
    age_reading(5)
    configure(API_URL=f"http://{silent_address}/", TIMEOUT=(1, 1.6))
    started = time.monotonic()
    results = check_health(client)
    assert time.monotonic() - started < 8
    assert results["Key"].startswith("Warning: VoicePassword does not answer")
    started = time.monotonic()
    assert check_health(client) == results
    # Another request would take longer.
    assert time.monotonic() - started < 1.6


def test_an_unreadable_answer_is_unexpected(
    client: Client, sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    age_reading(5)
    configure(API_URL=f"{sandbox.url}elsewhere/")
    assert check_health(client)["Key"].startswith(
        "Unexpected Result: VoicePassword's answer cannot be understood: is API_URL"
    )


def test_a_low_balance_is_a_warning(client: Client) -> None:
    BalanceReading.objects.update(balance=Decimal("100.00"))
    results = check_health(client)
    assert failing(results) == {"Balance"}
    assert results["Balance"] == ("Warning: The balance is low: 100.00\xa0₽. Pay into the account.")
    BalanceReading.objects.update(balance=Decimal("100.01"))
    assert check_health(client) == ALL_OK


def test_a_low_balance_from_the_provider_is_a_warning(
    client: Client, sandbox: SandboxProcess
) -> None:
    age_reading(5)
    sandbox.set_balance("12.50")
    results = check_health(client)
    assert failing(results) == {"Balance"}
    assert "low: 12.50" in results["Balance"]


def test_without_a_threshold_an_empty_account_is_low(
    client: Client, configure: Callable[..., None]
) -> None:
    configure(LOW_BALANCE=None)
    BalanceReading.objects.update(balance=Decimal("0.01"))
    assert check_health(client) == ALL_OK
    BalanceReading.objects.update(balance=Decimal("0"))
    assert failing(check_health(client)) == {"Balance"}


def test_a_broker_that_is_down_is_an_error(client: Client, closed_address: str) -> None:
    for scheme in ("amqp", "redis"):
        with using_broker(f"{scheme}://user:broker-password@{closed_address}"):
            results = check_health(client)
        assert failing(results) == {"Broker"}
        assert results["Broker"].startswith("Unavailable: Celery's broker does not answer")
        assert "broker-password" not in results["Broker"]


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_silent_broker_is_an_error_within_seconds(
    client: Client, silent_address: str, scheme: str
) -> None:
    started = time.monotonic()
    with using_broker(f"{scheme}://{silent_address}"):
        results = check_health(client)
    assert time.monotonic() - started < 3 * broker.TIMEOUT + 1.5
    assert results["Broker"].startswith("Unavailable: Celery's broker does not answer")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(
            "amqp://guest:guest@127.0.0.1:5672//",
            id="rabbitmq",
            marks=pytest.mark.service("rabbitmq"),
        ),
        pytest.param("redis://127.0.0.1:6379/0", id="redis", marks=pytest.mark.service("redis")),
    ],
)
def test_a_broker_that_is_up_is_ok(client: Client, address: str) -> None:
    with using_broker(address):
        assert [check_health(client) for _ in range(2)] == [ALL_OK] * 2


def test_eager_tasks_need_no_broker(client: Client, closed_address: str) -> None:
    with using_broker(f"amqp://{closed_address}", task_always_eager=True):
        assert check_health(client) == ALL_OK


def test_a_worker_needs_a_broker_without_real_calls_too(
    client: Client, configure: Callable[..., None], closed_address: str
) -> None:
    configure(TRANSPORT="console", DISPATCH="celery")
    with using_broker(f"amqp://{closed_address}"):
        assert failing(check_health(client)) == {"Broker"}


def test_a_sync_that_is_too_old_is_a_warning(client: Client) -> None:
    DailyStatistics.objects.update(synced_at=timezone.now() - timedelta(hours=3, minutes=1))
    results = check_health(client)
    assert failing(results) == {"Sync"}
    today = statistics.provider_today().isoformat()
    assert results["Sync"].startswith(
        f"Warning: The newest day that was synced is {today}, 3\xa0hours, 1\xa0minute ago."
    )
    assert "voicepassword_sync" in results["Sync"]


def test_no_sync_yet_is_a_warning(client: Client) -> None:
    DailyStatistics.objects.all().delete()
    assert check_health(client)["Sync"].startswith("Warning: No day was synced yet.")


def test_a_manual_sync_of_an_old_day_does_not_count(client: Client) -> None:
    DailyStatistics.objects.update(date=statistics.provider_today() - timedelta(days=2))
    assert failing(check_health(client)) == {"Sync"}


def test_the_project_chooses_max_age(client: Client, sandbox: SandboxProcess) -> None:
    age_reading(29)
    day = statistics.provider_today() - timedelta(days=1)
    DailyStatistics.objects.update(date=day, synced_at=timezone.now() - timedelta(hours=4))
    assert failing(check_health(client, "/health/patient/")) == set()
    assert request_count(sandbox) == 0


def test_wrong_settings_are_reported(
    no_test_run: None, client: Client, configure: Callable[..., None]
) -> None:
    configure(API_KEY="", TRANSPORT=None, DISPATCH=None)
    results = check_health(client)
    assert failing(results) == set(KINDS)
    assert set(results.values()) == {
        "Unavailable: VOICEPASSWORD in the settings is wrong: “manage.py check” says what."
    }


def test_money_for_less_than_two_days_is_a_warning(client: Client) -> None:
    BalanceReading.objects.update(balance=Decimal("500"))
    yesterday = statistics.provider_today() - timedelta(days=1)
    DailyStatistics.objects.create(date=yesterday, total_price=Decimal("250.01"))
    results = check_health(client)
    assert failing(results) == {"Balance"}
    assert results["Balance"].startswith("Warning: The money lasts for less than two days: ")
    DailyStatistics.objects.filter(date=yesterday).update(total_price=Decimal("250"))
    assert check_health(client) == ALL_OK


def test_a_call_that_no_worker_takes_is_an_error(client: Client) -> None:
    created = timezone.now() - timedelta(seconds=45)
    call = CallRequest.objects.create(phone="79991234567", channel="voice", created_at=created)
    results = check_health(client)
    assert failing(results) == {"Queue"}
    assert results["Queue"].startswith("Unavailable: 1 call is not placed yet")
    assert "Start a worker" in results["Queue"]
    call.claim("", timezone.now())
    assert check_health(client) == ALL_OK


def test_a_silent_beat_is_a_warning(client: Client) -> None:
    upkeep.note_beat(timezone.now() - timedelta(seconds=130))
    results = check_health(client)
    assert failing(results) == {"Beat"}
    assert results["Beat"].startswith("Warning: Since ")
    tasks.poll_calls()
    assert check_health(client) == ALL_OK


def test_missing_tables_are_reported(client: Client) -> None:
    with missing_table(BalanceReading):
        result = check_health(client, "/health/Balance/")["Balance"]
    assert result.startswith("Unavailable: The tables of django_voicepassword")


def test_a_missing_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "health_check.base", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(ImportError, match=r"django-voicepassword\[health\]"):
        __import__(MODULE)
