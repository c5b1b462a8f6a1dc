"""The health page: each way to be ill, told with what to do and without a key; the provider is left
in peace.
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
from typing import Any

import pytest
from celery import Celery, current_app
from django.core.cache import cache
from django.test import Client
from django.urls import path
from django.utils import timezone

from django_voicepassword import limits, statistics
from django_voicepassword.calls import broker
from django_voicepassword.limits import alarms
from django_voicepassword.models import BalanceReading, DailyStatistics
from tests.sandbox_process import SandboxProcess

base = pytest.importorskip("health_check.base")
views = pytest.importorskip("health_check.views")

MODULE = "django_voicepassword.contrib.health"
KINDS = ["Key", "Balance", "Broker", "Sync"]
WELL = dict.fromkeys(KINDS, "OK")


def page(*checks: Any) -> Callable[..., Any]:
    return views.HealthCheckView.as_view(checks=checks)


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
    """The provider; its balance was read, and the running day synced, just now."""
    process.reset()
    cache.clear()
    configure(**process.settings, LOW_BALANCE=Decimal("100"))
    BalanceReading.objects.create(balance=Decimal("1000"), currency="Rub")
    DailyStatistics.objects.create(date=statistics.provider_today())
    with using_broker("memory://"):
        yield process


@contextmanager
def using_broker(address: str, **conf: Any) -> Iterator[None]:
    """The Celery app of the project has this one."""
    usual = current_app._get_current_object()
    app = Celery(f"app-{uuid.uuid4().hex}", broker=address, set_as_current=False)
    app.conf.update(conf)
    app.set_current()
    try:
        yield
    finally:
        usual.set_current()


def look(client: Client, address: str = "/health/", **headers: str) -> dict[str, str]:
    """Which check says what."""
    answer = client.get(address, headers={"accept": "application/json", **headers})
    told = {
        name.removeprefix("VoicePassword").removesuffix("()"): text
        for name, text in answer.json().items()
    }
    assert answer.status_code == (200 if set(told.values()) == {"OK"} else 500)
    return told


def ill(told: dict[str, str]) -> set[str]:
    return {kind for kind, text in told.items() if text != "OK"}


def age(hours: float) -> None:
    """The balance was last read so long ago."""
    BalanceReading.objects.update(read_at=timezone.now() - timedelta(hours=hours))


def asked(sandbox: SandboxProcess) -> int:
    return len(sandbox.ledger()["requests"])


@pytest.fixture
def nobody() -> str:
    """host:port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return "{}:{}".format(*server.getsockname())


@pytest.fixture
def silent() -> Iterator[str]:
    """host:port where connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "{}:{}".format(*server.getsockname())


def test_all_is_well_by_what_is_stored(client: Client, sandbox: SandboxProcess) -> None:
    age(1.9)
    assert [look(client) for _ in range(3)] == [WELL] * 3
    assert asked(sandbox) == 0


def test_an_old_reading_makes_one_page_ask_and_writes_none(
    client: Client, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{MODULE}.ASK_EVERY", 1)
    age(2.1)
    assert look(client) == WELL
    # Both checks want it, and are there at the same moment.
    assert asked(sandbox) == 1
    assert look(client) == WELL
    assert asked(sandbox) == 1
    time.sleep(1.1)
    assert look(client) == WELL
    assert asked(sandbox) == 2
    assert BalanceReading.objects.count() == 1


def test_without_any_reading_the_provider_is_asked(client: Client, sandbox: SandboxProcess) -> None:
    BalanceReading.objects.all().delete()
    assert look(client) == WELL
    assert asked(sandbox) == 1


@pytest.mark.parametrize("transport", ["memory", "console"])
def test_where_nothing_rings_nothing_can_be_ill(
    client: Client, configure: Callable[..., None], nobody: str, transport: str
) -> None:
    BalanceReading.objects.all().delete()
    DailyStatistics.objects.all().delete()
    configure(TRANSPORT=transport, DISPATCH=None, API_KEY="")
    with using_broker(f"amqp://{nobody}"):
        assert look(client) == WELL


def test_a_refused_key_is_an_error_that_does_not_tell_it(
    client: Client, configure: Callable[..., None]
) -> None:
    age(5)
    configure(API_KEY="wrong-key-of-the-site")
    told = look(client)
    assert ill(told) == {"Key", "Balance"}
    assert told["Key"].startswith(
        "Unavailable: VoicePassword refuses the account (authorisation_failed): compare API_KEY"
    )
    assert told["Balance"].startswith("Warning: The balance is not known")


@pytest.mark.parametrize(
    ("alarm", "kinds"), [(alarms.ACCOUNT_REFUSED, {"Key"}), (alarms.BALANCE_LOW, {"Balance"})]
)
def test_an_alarm_since_a_young_reading_makes_one_page_ask(
    client: Client,
    sandbox: SandboxProcess,
    configure: Callable[..., None],
    alarm: str,
    kinds: set[str],
) -> None:
    configure(API_KEY="wrong-key-of-the-site")
    assert look(client) == WELL
    limits.raise_alarm(alarm)
    for _ in range(2):
        assert ill(look(client)) == kinds
    assert asked(sandbox) == 1


@pytest.mark.parametrize("form", ["html", "json", "text", "atom", "rss", "openmetrics"])
@pytest.mark.parametrize("key", ["sandbox-key", "wrong-key-of-the-site"])
def test_no_key_is_in_an_answer(
    client: Client,
    settings: Any,
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    key: str,
    form: str,
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "health_check"]
    age(5)
    configure(API_KEY=key, LOW_BALANCE=Decimal(5000))
    answer = client.get(
        "/health/", {"format": form} if form != "html" else {}, headers={"accept": "text/html"}
    )
    assert "VoicePasswordKey" in answer.content.decode()
    assert key not in answer.content.decode() + caplog.text


def test_a_corrected_key_is_asked_about_at_once(
    client: Client, sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    age(5)
    configure(API_KEY="wrong-key-of-the-site")
    assert ill(look(client)) == {"Key", "Balance"}
    configure(API_KEY=sandbox.key)
    assert look(client) == WELL


def test_an_unreachable_provider_is_a_warning_with_the_age_of_the_reading(
    client: Client, configure: Callable[..., None], nobody: str
) -> None:
    age(5)
    configure(API_URL=f"http://{nobody}/")
    told = look(client)
    assert ill(told) == {"Key", "Balance"}
    for kind in ("Key", "Balance"):
        assert told[kind].startswith("Warning: ")
        assert told[kind].endswith(
            "The balance was last read 5\xa0hours ago: are beat and a worker running?"
        )
    BalanceReading.objects.all().delete()
    assert look(client)["Key"].endswith(
        "The balance was never read: are beat and a worker running?"
    )


def test_a_silent_provider_is_given_up_by_the_clients_timeout(
    client: Client, configure: Callable[..., None], silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library would call it unavailable a second after its own limit.
    monkeypatch.setattr(base.HealthCheck, "timeout", timedelta(0), raising=False)
    age(5)
    configure(API_URL=f"http://{silent}/", TIMEOUT=(1, 1.6))
    began = time.monotonic()
    told = look(client)
    assert time.monotonic() - began < 3
    assert told["Key"].startswith("Warning: VoicePassword does not answer")
    began = time.monotonic()
    assert look(client) == told
    assert time.monotonic() - began < 1


def test_an_answer_that_is_no_reply_is_unexpected(
    client: Client, sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    age(5)
    configure(API_URL=f"{sandbox.url}elsewhere/")
    assert look(client)["Key"].startswith(
        "Unexpected Result: VoicePassword answers what cannot be understood: is API_URL"
    )


def test_a_low_balance_is_a_warning(client: Client) -> None:
    BalanceReading.objects.update(balance=Decimal("100.00"))
    told = look(client)
    assert ill(told) == {"Balance"}
    assert told["Balance"] == (
        "Warning: The balance is low: 100.00, the limit is 100. Pay into the account."
    )
    BalanceReading.objects.update(balance=Decimal("100.01"))
    assert look(client) == WELL


def test_a_low_balance_that_only_the_provider_knows_is_a_warning(
    client: Client, sandbox: SandboxProcess
) -> None:
    age(5)
    sandbox.set_balance("12.50")
    told = look(client)
    assert ill(told) == {"Balance"}
    assert "low: 12.50" in told["Balance"]


def test_without_a_threshold_an_empty_account_is_low(
    client: Client, configure: Callable[..., None]
) -> None:
    configure(LOW_BALANCE=None)
    BalanceReading.objects.update(balance=Decimal("0.01"))
    assert look(client) == WELL
    BalanceReading.objects.update(balance=Decimal("0"))
    assert ill(look(client)) == {"Balance"}


def test_a_broker_that_is_down_is_an_error(client: Client, nobody: str) -> None:
    for scheme in ("amqp", "redis"):
        with using_broker(f"{scheme}://user:broker-password@{nobody}"):
            told = look(client)
        assert ill(told) == {"Broker"}
        assert told["Broker"].startswith("Unavailable: Celery's broker does not answer")
        assert "broker-password" not in told["Broker"]


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_a_broker_that_never_speaks_is_given_up(client: Client, silent: str, scheme: str) -> None:
    began = time.monotonic()
    with using_broker(f"{scheme}://{silent}"):
        told = look(client)
    assert time.monotonic() - began < 3 * broker.TIMEOUT + 1.5
    assert told["Broker"].startswith("Unavailable: Celery's broker does not answer")


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
def test_a_broker_that_is_up_is_well(client: Client, address: str) -> None:
    with using_broker(address):
        assert [look(client) for _ in range(2)] == [WELL] * 2


def test_tasks_that_run_at_once_need_no_broker(client: Client, nobody: str) -> None:
    with using_broker(f"amqp://{nobody}", task_always_eager=True):
        assert look(client) == WELL


def test_calls_that_are_pretended_in_a_worker_need_a_broker(
    client: Client, configure: Callable[..., None], nobody: str
) -> None:
    configure(TRANSPORT="console", DISPATCH="celery")
    with using_broker(f"amqp://{nobody}"):
        assert ill(look(client)) == {"Broker"}


def test_a_sync_that_is_too_old_is_a_warning(client: Client) -> None:
    DailyStatistics.objects.update(synced_at=timezone.now() - timedelta(hours=3, minutes=1))
    told = look(client)
    assert ill(told) == {"Sync"}
    today = statistics.provider_today().isoformat()
    assert told["Sync"].startswith(
        f"Warning: The newest day that was synced is {today}, 3\xa0hours, 1\xa0minute ago."
    )
    assert "voicepassword_sync" in told["Sync"]


def test_no_sync_yet_is_a_warning(client: Client) -> None:
    DailyStatistics.objects.all().delete()
    assert look(client)["Sync"].startswith("Warning: No day was synced yet.")


def test_an_old_day_that_was_synced_by_hand_is_no_sync(client: Client) -> None:
    DailyStatistics.objects.update(date=statistics.provider_today() - timedelta(days=2))
    assert ill(look(client)) == {"Sync"}


def test_the_ages_are_the_projects_own(client: Client, sandbox: SandboxProcess) -> None:
    age(29)
    day = statistics.provider_today() - timedelta(days=1)
    DailyStatistics.objects.update(date=day, synced_at=timezone.now() - timedelta(hours=4))
    assert ill(look(client, "/health/patient/")) == set()
    assert asked(sandbox) == 0


def test_settings_that_cannot_work_are_named(
    client: Client, configure: Callable[..., None]
) -> None:
    configure(API_KEY="", TRANSPORT=None, DISPATCH=None)
    told = look(client)
    assert ill(told) == set(KINDS)
    assert set(told.values()) == {
        "Unavailable: VOICEPASSWORD in the settings is wrong: “manage.py check” says what."
    }


def test_tables_that_are_missing_are_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BalanceReading._meta, "db_table", "not_migrated_yet")
    assert look(client, "/health/Balance/")["Balance"].startswith(
        "Unavailable: The tables of django_voicepassword"
    )


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "health_check.base", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(ImportError, match=r"django-voicepassword\[health\]"):
        __import__(MODULE)
