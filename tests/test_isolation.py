"""At any isolation level a transaction of the app is repeated, and nothing is read from an old
snapshot for ever.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, connections, transaction
from django.test import Client
from django.utils import timezone

from django_voicepassword import statistics, transactions, verifications
from django_voicepassword.calls import polling, recording, recovery
from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    TrustedDevice,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.provider.protocol import Report, parse_report
from django_voicepassword.testing import Sent
from tests.concurrency import other_writes, run_at_once
from tests.isolation import LEVELS, isolation, levels

pytestmark = pytest.mark.django_db(transaction=True)
at_any_level = pytest.mark.parametrize("level", levels())


def in_other_connection(work: Callable[[], object]) -> None:
    (outcome,) = run_at_once([work])
    if isinstance(outcome, Exception):
        raise outcome


def make_call(**values: Any) -> CallRequest:
    at = timezone.now() - timedelta(hours=1)
    defaults = {"phone": "79990000001", "channel": "voice", "state": "placed"}
    times = {"created_at": at, "claimed_at": at, "provider_id": "1000"}
    return CallRequest.objects.create(**{**defaults, **times, **values})


def report(state: str) -> Report:
    return parse_report({"id": "1000", "number": "79990000001", "state": state})


@pytest.mark.parametrize("level", LEVELS.get(connection.vendor, [])[1:])
def test_first_logins_at_once_all_succeed(
    configure: Callable[..., None],
    outbox: list[Sent],
    settings: Any,
    level: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # At "serializable" two of five transactions of this crowd conflict, and their repeats as well:
    # one of some thousand logins would need more tries than a site has.
    monkeypatch.setattr(transactions, "CONFLICT_TRIES", 60)
    configure(LIMITS={"phone": [], "ip": []}, FRAUD_GUARD="off")
    # Django does not write a session again whose transaction the database has rolled back.
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    for number in range(60):
        verifications.start(f"7999{number:07}")
    codes = [(str(sent.verification), sent.code) for sent in outbox]

    def log_in(code: tuple[str, str]) -> int:
        body = json.dumps({"verification": code[0], "code": code[1]})
        try:
            return Client().post("/api/login/", body, "application/json").status_code
        finally:
            connections.close_all()

    # The more at once, the more often they conflict.
    with isolation(level), ThreadPoolExecutor(3) as pool:
        assert Counter(pool.map(log_in, codes)) == {200: 60}
    assert get_user_model().objects.count() == VerifiedPhone.objects.count() == 60
    assert not Verification.objects.filter(user=None).exists()


def test_a_last_login_that_the_database_rolls_back_is_written_again(outbox: list[Sent]) -> None:
    verification = verifications.start("79991234567")
    rolled_back: list[str] = []

    def fail_once(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE") and "last_login" in sql and not rolled_back:
            rolled_back.append(sql)
            raise OperationalError("database is locked")
        return execute(sql, *arguments)

    body = {"verification": str(verification.id), "code": outbox[-1].code}
    client = Client()
    with connection.execute_wrapper(fail_once):
        assert client.post("/api/login/", body).status_code == 200
    user = get_user_model().objects.get()
    assert rolled_back
    assert user.last_login is not None
    assert client.session["_auth_user_id"] == str(user.pk)


@at_any_level
def test_right_guesses_at_once_keep_to_five_devices(
    configure: Callable[..., None], outbox: list[Sent], level: str
) -> None:
    """The transaction of a guess has read before it locks the devices of the number."""
    configure(LIMITS={"phone": [], "ip": []}, FRAUD_GUARD="off")
    for _ in range(8):
        verifications.start("79990000001")

    def check(sent: Sent) -> int:
        path = f"/api/verifications/{sent.verification}/check/"
        return Client().post(path, {"code": sent.code}, "application/json").status_code

    with isolation(level):
        assert run_at_once([partial(check, sent) for sent in outbox]) == [200] * 8
    assert TrustedDevice.objects.count() == TrustedDevice.MOST_DEVICES


@pytest.mark.skipif(connection.vendor != "mysql", reason="other databases refuse the UPDATE")
@at_any_level
def test_a_report_inside_a_transaction_of_the_project_sees_what_others_committed(
    level: str,
) -> None:
    """The admin asks the provider in a transaction while the callback comes."""
    if level == "serializable":
        pytest.skip("a read of the transaction locks the row: nobody else can change it")
    call = make_call()
    statements: list[str] = []

    def count(execute: Any, sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        assert len(statements) < 50
        return execute(sql, *arguments)

    with isolation(level), transaction.atomic(), connection.execute_wrapper(count):
        assert CallRequest.objects.get().state == "placed"
        in_other_connection(lambda: CallRequest.objects.filter(pk=call.pk).update(state="dialing"))
        assert recording.record(call.pk, report("BUSY"), "poll")
        assert recording.record(call.pk, report("ANSWERED"), "poll")
    call.refresh_from_db()
    assert call.state == "busy"
    assert list(call.statuses.order_by("id").values_list("state", flat=True)) == [
        "busy",
        "answered",
    ]


@at_any_level
@pytest.mark.parametrize("source", ["callback", "poll"])
def test_reports_at_once_are_all_kept_and_the_first_final_state_stays(
    level: str, source: str
) -> None:
    call = make_call()
    words = ["Дозвон", "BUSY", "ANSWERED", "NO ANSWER", "CANCEL", "ANSWERED", "BUSY", "Дозвон"]
    with isolation(level):
        outcomes = run_at_once(
            [partial(recording.record, call.pk, report(word), source) for word in words]
        )
    assert all(isinstance(outcome, CallStatus) for outcome in outcomes)
    assert sum(1 + status.repeats for status in call.statuses.all()) == len(words)
    call.refresh_from_db()
    assert call.is_final
    finals = [row.state for row in call.statuses.all() if row.state in CallRequest.FINAL_STATES]
    assert call.state in finals


@contextmanager
def held(work: Callable[[], object]) -> Iterator[None]:
    """Another connection has run ``work`` and commits it a moment after the block has begun."""
    is_done, is_waiting = threading.Event(), threading.Event()

    def run() -> None:
        with transaction.atomic():
            work()
            is_done.set()
            is_waiting.wait(20)
            time.sleep(0.2)

    thread = threading.Thread(target=in_other_connection, args=[run])
    thread.start()
    assert is_done.wait(20)
    is_waiting.set()
    yield
    thread.join(20)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="nobody reads while others write")
@at_any_level
def test_what_is_due_is_done_while_others_write_the_rows(level: str) -> None:
    call = make_call(state="placing", provider_id="")
    now = timezone.now()
    verification = Verification.objects.create(
        phone="79990000002", created_at=now - timedelta(hours=1), expires_at=now
    )
    with isolation(level):
        with held(lambda: CallRequest.objects.update(price="0.35")):
            assert recovery.lose_abandoned() == [call.pk]
        with held(lambda: Verification.objects.update(attempts=1)):
            polling.poll()
        verification.refresh_from_db()
    assert verification.status == "expired"


class Provider:
    """A client whose day has a row for each of two calls."""

    def daily(self, day: date) -> list[Report]:
        row = {"id": "1000", "number": "79990000001", "price": "0.35", "duration": "00:04"}
        row |= {"service": "Voice Password", "state": "Успешно"}
        return [parse_report(row), parse_report({**row, "id": "1001"})]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="others wait for the lock")
@at_any_level
def test_a_chunk_of_a_sync_is_merged_once_while_callbacks_come(
    configure: Callable[..., None], level: str
) -> None:
    call, other = make_call(), make_call(provider_id="1001")
    configure(TRANSPORT=f"{__name__}.Provider")

    def call_back() -> None:
        recording.record(call.pk, report("ANSWERED"), "callback")

    day = timezone.now().date()
    with (
        isolation(level),
        other_writes(call_back, before='UPDATE "django_voicepassword_callrequest"'),
    ):
        found = statistics.sync_day(day)
    figures = found.statistics
    assert (figures.rows, figures.matched, figures.imported, found.written) == (2, 2, 0, 2)
    assert (str(figures.total_price), figures.counts) == ("0.7000", {"voice": {"answered": 2}})
    assert {call.statuses.count(), other.statuses.count()} == {1, 2}


class TwoDays:
    """A client whose two days have ids in common, and a minute of which both tell the rows."""

    def daily(self, day: date) -> list[Report]:
        row = {"number": "79990000001", "price": "0.35", "duration": "00:04"}
        row |= {"service": "Voice Password", "state": "Успешно"}
        own = [{**row, "id": f"a{n}", "date": f"{day:%d.%m.%Y} 12:00:05"} for n in range(300)]
        both = [{**row, "id": f"b{n}", "date": "11.03.2026 00:00:05"} for n in range(300)]
        return [parse_report(row) for row in [*both, *own]]


def test_syncs_of_two_days_at_once_import_each_row_once_with_its_own_report(
    configure: Callable[..., None],
) -> None:
    configure(TRANSPORT=f"{__name__}.TwoDays")
    days = [date(2026, 3, 10), date(2026, 3, 11)]
    level = "read committed" if connection.vendor in LEVELS else ""
    with isolation(level):
        found = run_at_once([partial(statistics.sync_day, day) for day in days])
    assert not [error for error in found if isinstance(error, Exception)]
    assert CallRequest.objects.count() == 900
    for call in CallRequest.objects.prefetch_related("statuses"):
        assert [status.occurred_at for status in call.statuses.all()] == [call.occurred_at]
