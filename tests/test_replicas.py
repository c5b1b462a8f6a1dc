"""A project with a replica: whatever decides is read from the database that it was written to.

The replica of these tests has no tables, so that every read from it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aget_user, authenticate, get_user, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.test import Client, RequestFactory
from django.utils import timezone

from django_voicepassword import checks, limits, signals, statistics, verifications
from django_voicepassword.accounts import devices, users
from django_voicepassword.calls import placing, polling, recording
from django_voicepassword.exceptions import Unreachable, VerificationError
from django_voicepassword.history import retention
from django_voicepassword.models import (
    CallRequest,
    DailyStatistics,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.provider.protocol import Balance, Report, SendReply, parse_report
from django_voicepassword.security import codes
from tests.own_database import add_alias, remove_alias

pytestmark = pytest.mark.django_db(transaction=True)
NUMBER = "79990000001"


class Router:
    """Reads of the app's models and of users go to the replica."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        is_copied = model._meta.app_label in ("django_voicepassword", "auth")
        return "replica" if is_copied else "default"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *objects: Any, **hints: Any) -> bool:
        return True


@pytest.fixture(autouse=True)
def _replica(settings: Any) -> Iterator[None]:
    add_alias("replica", "sqlite://:memory:")
    settings.DATABASE_ROUTERS = [f"{__name__}.Router"]
    yield
    remove_alias("replica")


class Provider:
    """A client that takes every call, and reports it as busy."""

    failures: list[Exception] = []

    def flash_call(self, number: str, **options: Any) -> SendReply:
        if self.failures:
            raise self.failures.pop()
        return SendReply(id="1000", price=None)

    voice_call = flash_call

    def sms(self, request_id: str) -> SendReply:
        return SendReply(id="1001", price=None)

    def state(self, request_id: str) -> Report:
        return parse_report({"id": request_id, "number": NUMBER, "state": "BUSY"})

    def balance(self) -> Balance:
        return Balance(Decimal(5), "Rub")

    def daily(self, day: date) -> list[Report]:
        row = {"number": NUMBER, "service": "Voice Password", "state": "Занято", "price": "0.35"}
        return [parse_report({**row, "id": id}) for id in ("1000", "7")]


@pytest.fixture(autouse=True)
def _provider(configure: Callable[..., None]) -> None:
    Provider.failures.clear()
    configure(
        TRANSPORT=f"{__name__}.Provider",
        DISPATCH="inline",
        RESEND_AFTER=0,
        DAILY_BUDGET=100,
        LIMITS={"phone": ["9/h"]},
        TEST_NUMBERS={"79990000009": "0042900"},
    )


def right_code(verification: Verification) -> str:
    return codes.make(verification.id)


def test_a_login_with_a_resend_and_a_wrong_code() -> None:
    verification = verifications.start(NUMBER)
    verifications.resend(verification.id)
    verifications.resend(verification.id, channel="sms")
    wrong = f"{(int(right_code(verification)) + 1) % 10000:04}"
    with pytest.raises(VerificationError):
        verifications.check(verification.id, wrong)
    request = RequestFactory().get("/")
    user = authenticate(
        request, verification=verification.id, voicepassword_code=right_code(verification)
    )
    assert user == get_user_model().objects.using("default").get()
    again = verifications.start(NUMBER)
    assert user == authenticate(
        request, verification=again.id, voicepassword_code=right_code(again)
    )


def test_a_call_is_placed_by_a_worker_reported_and_polled(configure: Callable[..., None]) -> None:
    configure(DISPATCH="celery", TRANSPORT="memory")
    verification = Verification.objects.create(
        phone=NUMBER, expires_at=timezone.now() + timedelta(minutes=5), sends=1
    )
    call = CallRequest.objects.create(verification=verification, phone=NUMBER, channel="flashcall")
    configure(TRANSPORT=f"{__name__}.Provider")
    Provider.failures.append(Unreachable("refused", may_have_rung=False))
    assert placing.place(call.pk) is not None
    assert placing.place(call.pk) is None
    moved: list[Any] = []

    def receive(call: CallRequest, **values: Any) -> None:
        moved.append((call.state, call.verification.phone if call.verification else None))

    signals.call_state_changed.connect(receive)
    try:
        report = parse_report({"id": "1000", "number": NUMBER, "state": "Дозвон"})
        assert recording.record(call.pk, report, "callback")
        CallRequest.objects.update(next_poll_at=timezone.now())
        assert polling.poll().asked == 1
    finally:
        signals.call_state_changed.disconnect(receive)
    assert moved == [("dialing", NUMBER), ("busy", NUMBER)]
    call.refresh_from_db()
    assert call.state == "busy"


def test_what_runs_at_night_and_what_staff_do(configure: Callable[..., None]) -> None:
    verification = verifications.start(NUMBER)
    day = statistics.provider_today()
    for _ in range(2):
        figures = statistics.sync_day(day).statistics
        assert (figures.rows, figures.matched) == (2, 1)
    assert statistics.refresh_figures(day)
    statistics.fill_figures(day + timedelta(days=1))
    statistics.read_balance()
    assert statistics.forecast() is not None
    assert limits.usage(NUMBER)
    verifications.cancel(verification.id)
    assert verifications.get(verification.id).status == "canceled"
    test_call = verifications.start("79990000009")
    verifications.resend(test_call.id)
    assert verifications.check(test_call.id, "0042900").status == "approved"
    configure(RETENTION_DAYS=1)
    CallRequest.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert retention.purge()
    assert DailyStatistics.objects.count() == 1


def test_a_new_user_stays_logged_in_while_the_replica_does_not_have_the_user_yet() -> None:
    replica = connections["replica"]
    replica.connect()  # otherwise pytest-django refuses a database that the test does not name
    with replica.schema_editor() as editor:
        editor.create_model(get_user_model())
    verification = verifications.start(NUMBER)
    client = Client()
    request = RequestFactory().get("/")
    user = authenticate(
        request, verification=verification.id, voicepassword_code=right_code(verification)
    )
    assert user is not None
    client.force_login(user, backend="django_voicepassword.backends.PhoneBackend")
    assert get_user(client) == user
    assert async_to_sync(aget_user)(client) == user
    get_user_model().objects.using("default").update(is_active=False)
    assert get_user(client) == AnonymousUser()


class Sticky(Router):
    """Writes a row to the database of the instance that it belongs to."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        instance = hints.get("instance")
        return (instance is not None and instance._state.db) or "default"


def test_what_belongs_to_a_user_of_the_replica_is_not_written_there(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Sticky"]
    user = get_user_model().objects.using("default").create(username="someone")
    user._state.db = "replica"  # as ``request.user`` was read there
    users.assign(user, NUMBER)
    assert devices.remember(RequestFactory().get("/"), NUMBER, user)
    verification = verifications.start(NUMBER, user=user)
    for model in (VerifiedPhone, TrustedDevice, Verification):
        assert model.objects.using("default").get().user_id == user.pk
    assert verification.user_id == user.pk


class UsersElsewhere(Router):
    """Puts the users into another database than the app's tables."""

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "replica" if model._meta.app_label == "auth" else "default"


def test_users_in_another_database_are_an_error_of_the_checks(settings: Any) -> None:
    assert not checks.check_databases()
    settings.DATABASE_ROUTERS = [f"{__name__}.UsersElsewhere"]
    (error,) = checks.check_databases()
    assert error.id == "voicepassword.E010"
    assert "auth.User in 'replica'" in error.msg
