"""What is begun anew, what is written again, and what a database that is away is told as."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.utils import IntegrityError
from django.utils import timezone

from django_voicepassword import transactions
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import LimitCounter

AWAY = [OperationalError, InterfaceError]
outside = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; how long it would have been."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which name the connection was let go."""
    closed: list[str] = []
    for name in ("close", "close_if_unusable_or_obsolete"):
        monkeypatch.setattr(connections["default"], name, lambda name=name: closed.append(name))
    return closed


class Work:
    """Writes a row and fails; the last time it does not fail."""

    def __init__(self, failures: int, error: type[Exception]) -> None:
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


@outside
@pytest.mark.parametrize("error", AWAY)
@pytest.mark.parametrize("failures", range(5))
def test_a_transaction_is_begun_anew_as_a_whole(
    pauses: list[float], closed: list[str], failures: int, error: type[Exception]
) -> None:
    assert transactions.atomic_with_retry(Work(failures, error("gone")), "default") == "done"
    assert keys() == [str(failures + 1)]
    assert pauses == pytest.approx([0.02, 0.04, 0.06, 0.08][:failures])
    assert closed == ["close_if_unusable_or_obsolete"] * failures


@outside
@pytest.mark.parametrize("error", AWAY)
@pytest.mark.parametrize("failures", range(5))
def test_a_result_is_written_again(
    pauses: list[float], closed: list[str], failures: int, error: type[Exception]
) -> None:
    assert transactions.retry_write(Work(failures, error("gone")), "default") == "done"
    assert pauses == [0.5, 1, 1.5, 2][:failures]
    assert closed == ["close"] * failures


@outside
@pytest.mark.parametrize("run", [transactions.atomic_with_retry, transactions.retry_write])
def test_the_fifth_failure_is_the_last_and_others_are_not_tried_again(
    pauses: list[float], closed: list[str], run: Callable[..., Any]
) -> None:
    work = Work(9, OperationalError("gone"))
    with pytest.raises(OperationalError):
        run(work, "default")
    assert (work.times, len(pauses)) == (5, 4)
    LimitCounter.objects.all().delete()
    for error in (IntegrityError("twice"), ValueError("ours")):
        work = Work(9, error)
        with pytest.raises(type(error)):
            run(work, "default")
        assert work.times == 1
        LimitCounter.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize("run", [transactions.atomic_with_retry, transactions.retry_write])
def test_within_a_transaction_of_the_project_only_the_project_begins_anew(
    pauses: list[float], closed: list[str], run: Callable[..., Any]
) -> None:
    work = Work(1, OperationalError("gone"))
    with pytest.raises(OperationalError), transaction.atomic():
        run(work, "default")
    assert (work.times, pauses, closed) == (1, [], [])


def frames_of(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


@outside
def test_what_is_written_again_is_forgotten_meanwhile(
    pauses: list[float], closed: list[str]
) -> None:
    gone = OperationalError("gone")
    failures = [gone]

    def write() -> None:
        number = "79990000002"
        if failures:
            raise failures.pop()
        assert number

    transactions.retry_write(write, "default")
    assert "79990000002" not in str([frame.f_locals for frame in frames_of(gone)])


@transactions.translate_database_errors(lambda: "default")
def read(error: Exception | None = None, number: str = "79990000001") -> str:
    """Reads."""
    if error is not None:
        raise error
    return number


@outside
@pytest.mark.parametrize("error", AWAY)
def test_a_database_that_is_away_is_told_and_forgets_what_it_was_given(
    caplog: pytest.LogCaptureFixture, error: type[Exception]
) -> None:
    gone = error("gone")
    assert (read.__name__, read.__doc__, read(number="1")) == ("read", "Reads.", "1")
    with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as caught:
        read(gone, "79990000002")
    assert caught.value.__cause__ is gone
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [gone]
    frames = frames_of(gone)
    assert [frame.f_code.co_name for frame in frames] == ["tell", "read"]
    assert "79990000002" not in str([frame.f_locals for frame in frames])
    with pytest.raises(ValueError, match="ours"):
        read(ValueError("ours"))


@pytest.mark.django_db
def test_within_a_transaction_of_the_project_the_error_stays_the_databases() -> None:
    for error in AWAY:
        with pytest.raises(error), transaction.atomic():
            read(error("gone"))


def test_a_view_is_in_no_transaction_of_any_database(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "connections", ["default", "other"])

    @transactions.non_atomic_requests
    def view(request: Any) -> str:
        return "seen"

    assert view(None) == "seen"
    assert view._non_atomic_requests == {"default", "other"}  # type: ignore[attr-defined]
