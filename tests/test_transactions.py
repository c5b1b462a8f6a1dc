"""Transactions and writes are retried, and an unavailable database raises Unavailable."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.utils import IntegrityError
from django.test import Client
from django.utils import timezone

from django_voicepassword import transactions
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import LimitCounter, Verification
from django_voicepassword.testing import Sent
from tests.missing_table import missing_table

UNAVAILABLE = [OperationalError, InterfaceError]
outside_transaction = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The lengths of the pauses; time.sleep() returns at once."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the methods that closed the connection."""
    closed: list[str] = []
    for name in ("close", "close_if_unusable_or_obsolete"):
        monkeypatch.setattr(connections["default"], name, lambda name=name: closed.append(name))
    return closed


class Work:
    """Writes a row and raises the error, so many times; the next time it succeeds."""

    def __init__(self, failures: int, error: Exception | type[Exception]) -> None:
        self.failures, self.error = failures, error
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        LimitCounter.objects.create(key=f"{self.times}", updated_at=timezone.now())
        if self.times <= self.failures:
            raise self.error
        return "done"


def keys() -> list[str]:
    return list(LimitCounter.objects.order_by("key").values_list("key", flat=True))


@outside_transaction
@pytest.mark.parametrize("error", UNAVAILABLE)
@pytest.mark.parametrize("failures", [*range(7), 11])
def test_a_transaction_is_retried_as_a_whole(
    pauses: list[float], closed: list[str], failures: int, error: type[Exception]
) -> None:
    locked = error("database is locked")
    assert transactions.atomic_with_retry(Work(failures, locked), "default") == "done"
    assert keys() == [str(failures + 1)]
    assert len(pauses) == failures
    for pause, usual in zip(pauses, [0.02, 0.04, 0.08, 0.16, 0.32, *[0.5] * 6], strict=False):
        assert usual / 2 <= pause <= usual * 1.5
    assert closed == ["close_if_unusable_or_obsolete"] * failures


@outside_transaction
@pytest.mark.parametrize("error", UNAVAILABLE)
@pytest.mark.parametrize("failures", range(5))
def test_a_write_is_retried(
    pauses: list[float], closed: list[str], failures: int, error: type[Exception]
) -> None:
    assert transactions.retry_write(Work(failures, error("gone")), "default") == "done"
    assert pauses == [0.5, 1, 1.5, 2][:failures]
    assert closed == ["close"] * failures


@outside_transaction
def test_a_write_that_met_another_one_is_no_lost_connection(
    pauses: list[float], closed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword")
    work = Work(11, OperationalError("database is locked"))
    assert transactions.retry_write(work, "default") == "done"
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert closed == []
    assert sum(pauses) < 9


@outside_transaction
@pytest.mark.parametrize(
    ("run", "message", "tries"),
    [
        (transactions.atomic_with_retry, "database is locked", 12),
        (transactions.atomic_with_retry, "database or disk is full", 5),
        (transactions.retry_write, "gone", 5),
        (transactions.retry_write, "database is locked", 12),
    ],
)
def test_the_last_failure_is_final_and_other_errors_are_not_retried(
    pauses: list[float], closed: list[str], run: Callable[..., Any], message: str, tries: int
) -> None:
    work = Work(99, OperationalError(message))
    with pytest.raises(OperationalError):
        run(work, "default")
    assert (work.times, len(pauses)) == (tries, tries - 1)
    LimitCounter.objects.all().delete()
    errors: list[Exception] = [IntegrityError("twice"), ValueError("ours")]
    for error in errors:
        work = Work(99, error)
        with pytest.raises(type(error)):
            run(work, "default")
        assert work.times == 1
        LimitCounter.objects.all().delete()


@outside_transaction
def test_no_try_begins_after_a_minute(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may have waited for a lock for as long as the database allows."""
    clock = iter(range(0, 1000, 20))
    # Only for this module: the driver of the database reads the clock too.
    own_time = SimpleNamespace(monotonic=lambda: next(clock), sleep=pauses.append)
    monkeypatch.setattr(transactions, "time", own_time)
    work = Work(99, OperationalError("locked"))
    with pytest.raises(OperationalError):
        transactions.atomic_with_retry(work, "default")
    assert (work.times, len(pauses)) == (4, 3)


@pytest.mark.django_db
@pytest.mark.parametrize("run", [transactions.atomic_with_retry, transactions.retry_write])
def test_nothing_is_retried_inside_a_transaction_of_the_project(
    pauses: list[float], closed: list[str], run: Callable[..., Any]
) -> None:
    work = Work(1, OperationalError("gone"))
    with pytest.raises(OperationalError), transaction.atomic():
        run(work, "default")
    assert (work.times, pauses, closed) == (1, [], [])


def frames_of(error: BaseException) -> list[FrameType]:
    """Return the stack frames that the traceback of an error refers to."""
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


@outside_transaction
def test_a_failed_write_leaves_no_number_in_its_frames(
    pauses: list[float], closed: list[str]
) -> None:
    error = OperationalError("gone")
    failures = [error]

    def write() -> None:
        number = "79990000002"
        if failures:
            raise failures.pop()
        assert number

    transactions.retry_write(write, "default")
    assert "79990000002" not in str([frame.f_locals for frame in frames_of(error)])


@transactions.translate_database_errors(lambda: "default")
def read(error: Exception | None = None, number: str = "79990000001") -> str:
    """Reads."""
    if error is not None:
        raise error
    return number


@outside_transaction
@pytest.mark.parametrize("error", UNAVAILABLE)
def test_an_unavailable_database_raises_unavailable_and_leaves_no_number_in_its_frames(
    caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    failure = error("gone")
    assert (read.__name__, read.__doc__, read(number="1")) == ("read", "Reads.", "1")
    with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
        read(failure, "79990000002")
    assert caught.value.__cause__ is failure
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [failure]
    frames = frames_of(failure)
    assert [frame.f_code.co_name for frame in frames] == ["wrapper", "read"]
    assert "79990000002" not in str([frame.f_locals for frame in frames])
    with pytest.raises(ValueError, match="ours"):
        read(ValueError("ours"))


@pytest.mark.django_db
def test_inside_a_transaction_of_the_project_the_database_error_is_raised() -> None:
    for error in UNAVAILABLE:
        with pytest.raises(error), transaction.atomic():
            read(error("gone"))


def test_non_atomic_requests_exempts_a_view_on_every_database(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "connections", ["default", "other"])

    @transactions.non_atomic_requests
    def view(request: Any) -> str:
        return "seen"

    assert view(None) == "seen"
    assert view._non_atomic_requests == {"default", "other"}  # type: ignore[attr-defined]


@outside_transaction
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("address", ["/auth/login/", "/api/verifications/"])
def test_a_developer_who_forgot_to_migrate_is_told_so(
    client: Client,
    settings: Any,
    outbox: list[Sent],
    debug: bool,
    address: str,
) -> None:
    settings.DEBUG = debug
    client.raise_request_exception = False
    with missing_table(Verification):
        response = client.post(address, {"phone": "79990000001"})
    text = response.content.decode()
    assert ("manage.py migrate" in text, "not_migrated_yet" in text) == (debug, debug)
    if debug:
        assert response.status_code == 500
    assert outbox == []
