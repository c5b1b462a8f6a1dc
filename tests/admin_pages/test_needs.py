"""The dashboard begins with what needs doing: each thing appears with its advice, and vanishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from django_voicepassword import limits, statistics, upkeep
from django_voicepassword.limits import circuit
from django_voicepassword.limits.guard import lift
from django_voicepassword.limits.guard import state as guard_state
from django_voicepassword.limits.guard.trips import trip
from django_voicepassword.models import BalanceReading, CallRequest, FraudTrip, PrefixFigures

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DASHBOARD = "/admin/django_voicepassword/dashboard/"
CALM = "Nothing: calls go out, and there is enough money."


@pytest.fixture(autouse=True)
def site(configure: Callable[..., None]) -> None:
    configure(TRANSPORT="http", DISPATCH="celery", API_KEY="key", API_URL="http://127.0.0.1:9/")
    upkeep.note_beat()


def shown(client: Client, language: str = "en") -> str:
    answer = client.get(DASHBOARD, headers={"accept-language": language})
    page = answer.content.decode().replace("\xa0", " ")
    return page[page.index('id="vp-needs"') : page.index('id="vp-today"')]


def refuse_account() -> None:
    circuit.open_circuit("user_disabled")


def accept_account() -> None:
    limits.clear_alarm("account_refused")


def queue_a_call() -> None:
    created = timezone.now() - timedelta(seconds=45)
    CallRequest.objects.create(phone="79991234567", channel="flashcall", created_at=created)


def place_the_call() -> None:
    CallRequest.objects.get().claim("", timezone.now())


def stop_beat() -> None:
    upkeep.note_beat(timezone.now() - timedelta(minutes=3))


def begin_outage() -> None:
    guard_state.note_watch(timezone.now())
    guard_state.store(guard_state.State(outages={"7999": 0}))


def end_outage() -> None:
    guard_state.store(guard_state.State())


def begin_attack() -> None:
    trip("prefix", "7999", "sends", timezone.now(), failures=60, threshold=50)


def lift_trip() -> None:
    lift(FraudTrip.objects.get(), None)


def read_balance(balance: int) -> None:
    BalanceReading.objects.create(balance=Decimal(balance), currency="Rub")


def count_operator(approved: int) -> None:
    today = statistics.provider_today()
    PrefixFigures.objects.all().delete()
    for date, approvals in ((today, approved), (today - timedelta(days=9), 90)):
        PrefixFigures.objects.create(date=date, prefix="7916", started=100, approved=approvals)


@pytest.mark.parametrize(
    ("begin", "end", "texts", "russian"),
    [
        (
            refuse_account,
            accept_account,
            ["VoicePassword has refused the account since", "Compare API_KEY with the key"],
            "Коды никому не приходят",
        ),
        (
            queue_a_call,
            place_the_call,
            ["1 call is not placed yet", "Start a worker", 'callrequest/?state=queued"'],
            "1 звонок ещё не отправлен",
        ),
        (
            stop_beat,
            upkeep.note_beat,
            ["the periodic tasks have not run", "Start beat"],
            "не выполняются периодические задачи",
        ),
        (
            begin_outage,
            end_outage,
            ["Calls to +7999 seem not to arrive", "Ask VoicePassword", 'protection/"'],
            "не доходят",
        ),
        (
            begin_attack,
            lift_trip,
            ["An attack is suspected", "people on new devices must", 'protection/"'],
            "Подозрение на атаку",
        ),
        (
            lambda: read_balance(0),
            lambda: read_balance(1000),
            ["The balance is low: 0.00 ₽", "Pay into the account", "#vp-balance-now"],
            "мало денег: 0,00 ₽",
        ),
        (
            lambda: count_operator(70),
            lambda: count_operator(71),
            ["+7916 has fallen from 90% to 70%", "See how its calls end", "?days=7#vp-prefixes"],
            "упала с 90 % до 70 %",
        ),
    ],
)
def test_what_needs_doing_is_shown_until_it_is_done(
    admin_client: Client,
    begin: Callable[[], Any],
    end: Callable[[], Any],
    texts: list[str],
    russian: str,
) -> None:
    begin()
    page = shown(admin_client)
    assert all(text in page for text in texts)
    assert CALM not in page
    assert russian in shown(admin_client, "ru")
    end()
    assert CALM in shown(admin_client)


def test_nothing_to_do_is_said_in_russian_too(admin_client: Client) -> None:
    assert "Ничего: звонки уходят, денег хватает." in shown(admin_client, "ru")


def test_links_lead_only_where_the_reader_may_go(client: Client, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("owner", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_dailystatistics"))
    client.force_login(user)
    begin_attack()
    queue_a_call()
    page = shown(client)
    assert "An attack is suspected" in page
    assert "1 call is not placed yet" in page
    assert "<a " not in page


@pytest.mark.parametrize(("channel", "is_explained"), [("", True), ("voice", False)])
def test_a_low_answer_rate_is_explained_where_it_stands(
    admin_client: Client, channel: str, is_explained: bool
) -> None:
    answer = admin_client.get(DASHBOARD, {"channel": channel}).content.decode()
    tiles = answer[answer.index('id="vp-today"') : answer.index('id="vp-period"')]
    assert ("Nobody answers a flash call" in tiles) is is_explained
