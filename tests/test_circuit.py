"""A refused account (its key, a block, no money) stops all sends, and a good balance starts them.

A fake client answers, and counts what it is asked.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import limits, signals, statistics, tasks, verifications
from django_voicepassword.admin.advice import advise
from django_voicepassword.calls import placing, polling
from django_voicepassword.exceptions import AccountRefused, Unavailable, Unreachable
from django_voicepassword.limits import circuit
from django_voicepassword.models import BalanceReading, CallRequest, LimitCounter, Verification
from django_voicepassword.provider.protocol import Balance, SendReply
from tests.admin_pages.staff_users import create_staff_user
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db
NUMBER = "79990000001"
NO_MONEY, BAD_KEY = "Not_Enough_Money", "Authorisation_Failed"


class Provider:
    """A client factory: refuses with ``error``, has ``money`` on the account, and counts."""

    error: Exception | None = None
    money: Decimal | Exception = Decimal(500)
    sends: list[str] = []
    readings: list[object] = []

    def flash_call(self, number: str, **options: Any) -> SendReply:
        self.sends.append(number)
        if self.error is not None:
            raise self.error
        return SendReply(id=f"id-{len(self.sends)}", price=Decimal("0.35"))

    voice_call = flash_call

    def sms(self, request_id: str) -> SendReply:
        return self.flash_call(request_id)

    def balance(self) -> Balance:
        self.readings.append(self.money)
        if isinstance(self.money, Exception):
            raise self.money
        return Balance(self.money, "Rub")

    def state(self, request_id: str) -> Any:
        raise self.error or Unreachable("silence", may_have_rung=False)

    def daily(self, day: object) -> Any:
        raise self.error or Unreachable("silence", may_have_rung=False)


@pytest.fixture(autouse=True)
def provider(configure: Callable[..., None]) -> type[Provider]:
    Provider.error, Provider.money, Provider.sends, Provider.readings = None, Decimal(500), [], []
    configure(
        TRANSPORT="tests.test_circuit.Provider",
        DISPATCH="celery",
        LIMITS={"phone": ["3/d"], "ip": []},
        DAILY_BUDGET=Decimal(100),
        RESEND_AFTER=0,
        LOW_BALANCE=None,
    )
    return Provider


@pytest.fixture
def announced() -> Iterator[list[str]]:
    """The error codes of the signal ``account_refused``."""
    received: list[str] = []

    def receive(signal: Any, sender: type, error_code: str) -> None:
        received.append(error_code)

    signals.account_refused.connect(receive)
    yield received
    signals.account_refused.disconnect(receive)


def start(number: str = NUMBER) -> CallRequest:
    return verifications.start(number).calls.get()


def refuse_account(error_code: str = NO_MONEY, money: Decimal | Exception | None = None) -> None:
    """Have the provider refuse a call, and from now on everything for the same reason."""
    call = start("79990000099")
    Provider.error = AccountRefused(error_code)
    Provider.money = AccountRefused(error_code) if money is None else money
    placing.place(call.pk)
    Provider.sends.clear()


@pytest.mark.parametrize("error_code", [NO_MONEY, BAD_KEY, "User_Disabled"])
def test_a_refused_account_refuses_starts_and_resends_unasked(
    provider: type[Provider], announced: list[str], error_code: str
) -> None:
    call = start()
    verification = call.verification
    assert verification is not None
    placing.place(call.pk)
    refuse_account(error_code)
    rows, counted = Verification.objects.count(), LimitCounter.objects.count()
    for number in range(20):
        with pytest.raises(Unavailable):
            start(f"799900010{number:02}")
        with pytest.raises(Unavailable):
            verifications.resend(verification.id)
    assert (Verification.objects.count(), LimitCounter.objects.count()) == (rows, counted)
    assert (provider.sends, len(provider.readings)) == ([], 1)
    assert announced == [error_code]
    # The code of a call that rang still counts.
    verifications.cancel(verification.id)


def test_over_http_a_start_is_503_unavailable(provider: type[Provider]) -> None:
    refuse_account()
    body = json.dumps({"phone": NUMBER})
    answer = Client().post("/api/verifications/", body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    page = Client().post("/auth/login/", {"phone": NUMBER})
    assert page.status_code == 503
    # Nobody knows when the owner pays: to try again in a minute would be in vain.
    text = "Calls are not available for now. Try again later."
    assert answer.json()["detail"] == text
    assert text in page.content.decode()
    assert provider.sends == []


def test_what_waits_in_the_queue_is_refused_unasked_and_given_back(
    provider: type[Provider],
) -> None:
    calls = [start(), start(), start("79990000002")]
    refuse_account()
    for call in calls:
        assert placing.place(call.pk) is None
    assert provider.sends == []
    for call in CallRequest.objects.filter(pk__in=[call.pk for call in calls]):
        assert (call.state, call.error_code) == ("refused", "account_refused")
        assert call.verification is not None
        assert call.verification.sends == 0
        assert "account" in advise(call)
    assert limits.spent(timezone.now()) == 0
    statistics_of_number = LimitCounter.objects.get(key=f"phone:{NUMBER}").events
    assert json.loads(statistics_of_number) == {"3/d": []}


def test_a_test_number_goes_on(configure: Callable[..., None]) -> None:
    refuse_account()
    configure(TEST_NUMBERS={NUMBER: "1234"})
    assert start().state == "answered"


def test_the_first_good_balance_closes_the_circuit_without_beat(provider: type[Provider]) -> None:
    refuse_account(BAD_KEY)
    with freeze_time(timezone.now()) as clock:
        for _ in range(3):
            with pytest.raises(Unavailable):
                start()
        assert len(provider.readings) == 1
        provider.error, provider.money = None, Decimal(0)
        clock.tick(timedelta(seconds=59))
        with pytest.raises(Unavailable):
            start()
        assert len(provider.readings) == 1
        clock.tick(timedelta(seconds=1))
        # Any balance is a good answer where the key was wrong.
        placing.place(start().pk)
        assert (len(provider.sends), len(provider.readings)) == (1, 2)
        start()
        assert len(provider.readings) == 2


def test_a_reading_that_is_younger_than_a_minute_is_not_repeated(provider: type[Provider]) -> None:
    with freeze_time(timezone.now()) as clock:
        statistics.read_balance()
        clock.tick(timedelta(seconds=40))
        refuse_account(BAD_KEY, money=Decimal(500))
        clock.tick(timedelta(seconds=19))
        with pytest.raises(Unavailable):
            start()
        clock.tick(timedelta(seconds=2))
        assert start().state == "queued"
        assert len(provider.readings) == 2


def test_a_clock_that_stepped_back_does_not_keep_the_circuit_open() -> None:
    refuse_account(BAD_KEY, money=Decimal(500))
    future = timezone.now() + timedelta(hours=5)
    BalanceReading.objects.create(balance=500, currency="Rub", read_at=future)
    LimitCounter.objects.filter(key="alarm:account_refused").update(updated_at=future)
    assert start().state == "queued"


@pytest.mark.parametrize(
    ("channels", "enough"),
    [(["flashcall", "voice", "sms"], "3.30"), (["flashcall", "voice"], "0.35")],
)
def test_where_money_was_the_reason_it_must_pay_the_dearest_channel(
    provider: type[Provider], configure: Callable[..., None], channels: list[str], enough: str
) -> None:
    configure(CHANNELS=channels)
    refuse_account(NO_MONEY)
    for money in ("-5", "0", str(Decimal(enough) - Decimal("0.01"))):
        provider.money = Decimal(money)
        statistics.read_balance()
        assert circuit.refusal() is not None
    provider.money = Decimal(enough)
    statistics.read_balance()
    assert circuit.refusal() is None


def test_the_dearest_channel_is_that_of_the_prices_that_were_paid(
    provider: type[Provider],
) -> None:
    placing.place(start().pk)
    CallRequest.objects.update(price=Decimal(15))
    refuse_account(NO_MONEY, money=Decimal(14))
    statistics.read_balance()
    assert circuit.refusal() is not None
    provider.money = Decimal(15)
    statistics.read_balance()
    assert circuit.refusal() is None


@pytest.mark.parametrize("written", [NO_MONEY, f" {NO_MONEY.upper()}\n"])
def test_a_refusal_for_money_after_another_one_becomes_the_reason(written: str) -> None:
    circuit.open_circuit(BAD_KEY)
    circuit.open_circuit(written)
    circuit.open_circuit(BAD_KEY)
    circuit.note_balance(Decimal(1))
    refusal = circuit.refusal()
    assert refusal is not None
    assert refusal.is_for_money


def test_beat_reads_the_balance_each_minute_while_the_account_is_refused(
    provider: type[Provider],
) -> None:
    tasks.poll_calls()
    assert provider.readings == []
    refuse_account()
    with freeze_time(timezone.now()) as clock:
        for _ in range(13):
            tasks.poll_calls()
            clock.tick(timedelta(seconds=15))
        assert len(provider.readings) == 4
        provider.error, provider.money = None, Decimal(500)
        clock.tick(timedelta(seconds=60))
        tasks.poll_calls()
        tasks.poll_calls()
        assert len(provider.readings) == 5
    assert circuit.refusal() is None


@pytest.mark.parametrize(("error_code", "is_polled"), [(BAD_KEY, False), (NO_MONEY, True)])
def test_states_are_polled_only_where_money_is_the_reason(
    provider: type[Provider], error_code: str, is_polled: bool
) -> None:
    placing.place(start().pk)
    circuit.open_circuit(error_code)
    later = timezone.now() + timedelta(hours=1)
    assert polling.poll_due(later) == int(is_polled)
    # Nothing is lost: what was not asked is asked once the account is accepted.
    circuit.note_balance(Decimal(500))
    assert polling.poll_due(later) == int(not is_polled)


def test_whatever_the_provider_refuses_because_of_the_account_opens_the_circuit(
    provider: type[Provider], announced: list[str]
) -> None:
    placing.place(start().pk)
    provider.error = provider.money = AccountRefused("User_Disabled")
    call = CallRequest.objects.get()

    def poll() -> None:
        polling.poll_due(timezone.now() + timedelta(hours=1))
        raise AccountRefused("a poll goes on")

    asks: list[Callable[[], object]] = [
        statistics.read_balance,
        lambda: polling.refresh(call.pk),
        poll,
        lambda: statistics.sync_day(statistics.provider_today()),
    ]
    for ask in asks:
        with pytest.raises(AccountRefused):
            ask()
        assert circuit.refusal() is not None
        circuit.note_balance(Decimal(500))
    assert announced == ["User_Disabled"] * 4


def test_it_is_said_once_each_time(
    provider: type[Provider], announced: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        for number in range(3):
            circuit.open_circuit(BAD_KEY)
            circuit.note_balance(Decimal(number)) if number == 2 else None
    assert announced == [BAD_KEY, BAD_KEY]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2


def test_inline_the_first_refused_start_is_unavailable_too(
    provider: type[Provider],
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    configure(DISPATCH="inline")
    provider.error = provider.money = AccountRefused(NO_MONEY)
    key = "a-key-of-sixteen-letters"
    for _ in range(3):
        with pytest.raises(Unavailable), django_capture_on_commit_callbacks(execute=True):
            verifications.start(NUMBER, idempotency_key=key)
    assert len(provider.sends) == 1
    provider.error = None
    circuit.note_balance(Decimal(500))
    with django_capture_on_commit_callbacks(execute=True):
        assert verifications.start(NUMBER, idempotency_key=key).first_answer is None
    assert len(provider.sends) == 2


@pytest.mark.django_db(transaction=True)
def test_a_hundred_starts_at_the_moment_the_money_ends_are_few_requests(
    provider: type[Provider],
) -> None:
    expires_at = timezone.now() + timedelta(seconds=300)
    calls = []
    for number in range(100):
        phone = f"799900010{number:02}"
        verification = Verification.objects.create(phone=phone, expires_at=expires_at, sends=1)
        calls.append(
            CallRequest.objects.create(
                verification=verification, phone=phone, channel="flashcall"
            ).pk
        )
    provider.error, provider.money = AccountRefused(NO_MONEY), Decimal("0.10")
    queue = itertools.count()

    def work() -> None:
        while (position := next(queue)) < len(calls):
            placing.place(calls[position])

    def ask() -> None:
        for _ in range(3):
            with pytest.raises(Unavailable):
                start()

    assert run_at_once([work] * 16) == [None] * 16
    assert run_at_once([ask] * 8) == [None] * 8
    assert len(provider.sends) <= 16
    assert len(provider.readings) == 1
    assert set(CallRequest.objects.values_list("state", flat=True)) == {"refused"}
    assert set(Verification.objects.values_list("sends", flat=True)) == {0}
    assert BalanceReading.objects.count() == 1


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("name", "error_code", "text"),
    [
        ("index", BAD_KEY, "(Authorisation_Failed)"),
        ("index", NO_MONEY, "has had no money."),
        ("auth_user_changelist", BAD_KEY, "(Authorisation_Failed)"),
        ("django_voicepassword_callrequest_changelist", BAD_KEY, "(Authorisation_Failed)"),
        ("django_voicepassword_dashboard_changelist", NO_MONEY, "has had no money."),
        ("django_voicepassword_verification_changelist", NO_MONEY, "has had no money."),
    ],
)
def test_every_page_of_the_admin_says_so(
    admin_client: Client, name: str, error_code: str, text: str
) -> None:
    address = reverse(f"admin:{name}")
    circuit.open_circuit(error_code)
    for _ in range(2):
        page = admin_client.get(address).content.decode()
        assert page.count("Nobody gets a code") == 1
        assert text in page
    circuit.note_balance(Decimal(500))
    assert "Nobody gets a code" not in admin_client.get(address).content.decode()


def test_the_page_of_a_call_says_so_too_and_others_do_not(admin_client: Client) -> None:
    call = start()
    circuit.open_circuit(BAD_KEY)
    address = reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])
    assert b"Nobody gets a code" in admin_client.get(address).content
    # Staff without a permission of this app are not told.
    other = create_staff_user(name="other")
    other.user_permissions.clear()
    client = Client()
    client.force_login(other)
    assert b"Nobody gets a code" not in client.get(reverse("admin:index")).content
