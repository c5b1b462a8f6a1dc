"""While the database merges a chunk of a day, a thread reads the next one."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.db import OperationalError

from django_voicepassword import statistics
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.protocol import Report, parse_report
from django_voicepassword.statistics import sync
from django_voicepassword.statistics.ahead import Ahead
from django_voicepassword.statistics.totals import Totals
from tests.daily_row import USUAL_ROW

DAY = date(2026, 3, 10)
ROWS = [
    {**USUAL_ROW, "id": str(number), "number": f"7999{number:07}", "date": "10.03.2026 12:00:05"}
    for number in range(20)
]
#: The threads that read a row of the day, and the responses that were closed.
THREADS: set[int] = set()
CLOSED: list[bool] = []
#: The seconds that each read takes.
PAUSE = [0.0]


class Raw(io.BytesIO):
    def read1(self, size: int | None = -1, /) -> bytes:
        THREADS.add(threading.get_ident())
        time.sleep(PAUSE[0])
        return super().read1(min(size or 0, 300))


class Response:
    def __init__(self) -> None:
        answer = {"result": "ok", "rows": str(len(ROWS)), "data": ROWS}
        self.raw = Raw(json.dumps(answer, ensure_ascii=False).encode())

    def close(self) -> None:
        CLOSED.append(True)


class Provider:
    def daily(self, day: date) -> DailyReport:
        return DailyReport(Response(), "key")  # type: ignore[arg-type]


class OwnProvider:
    """A client of the host project, which may read its rows from the database."""

    def daily(self, day: date) -> Iterator[Report]:
        for row in ROWS:
            THREADS.add(threading.get_ident())
            yield parse_report(row)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    THREADS.clear()
    CLOSED.clear()
    monkeypatch.setattr(sync, "CHUNK", 5)
    monkeypatch.setattr("django_voicepassword.provider.daily_stream.CHUNK", 300)


def test_what_was_begun_is_the_next_result_and_is_made_once() -> None:
    made = iter(range(9))
    with Ahead(lambda: (next(made), threading.get_ident()), in_thread=True) as ahead:
        first = ahead.next()
        ahead.begin()
        ahead.begin()
        second, third = ahead.next(), ahead.next()
    here = threading.get_ident()
    assert [number for number, _ in (first, second, third)] == [0, 1, 2]
    assert [thread == here for _, thread in (first, second, third)] == [True, False, True]


def test_an_error_is_raised_where_its_result_is_asked_for() -> None:
    def fail() -> None:
        raise KeyError("row")

    with Ahead(fail, in_thread=True) as ahead:
        ahead.begin()
        with pytest.raises(KeyError, match="row"):
            ahead.next()


@pytest.mark.django_db
@pytest.mark.parametrize(("client", "is_alone"), [("Provider", False), ("OwnProvider", True)])
def test_only_rows_that_need_no_database_are_read_in_a_thread(
    configure: Callable[..., None], client: str, is_alone: bool
) -> None:
    configure(TRANSPORT=f"{__name__}.{client}")
    assert statistics.sync_day(DAY).statistics.rows == 20
    assert ({threading.get_ident()} == THREADS) is is_alone
    assert CallRequest.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_a_chunk_whose_transaction_is_repeated_loses_no_row_of_the_next(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(TRANSPORT=f"{__name__}.Provider")
    add_rows, failures = Totals.add_rows, iter([True, False, True])

    def fail_sometimes(self: Totals, cursor: Any) -> None:
        if next(failures, False):
            raise OperationalError("database is locked")
        add_rows(self, cursor)

    monkeypatch.setattr(Totals, "add_rows", fail_sometimes)
    report = statistics.sync_day(DAY)
    assert (report.statistics.rows, report.written) == (20, 20)
    assert CallRequest.objects.count() == 20


@pytest.mark.django_db
def test_without_threads_the_rows_are_read_all_the_same(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    configure(TRANSPORT=f"{__name__}.Provider")
    monkeypatch.setattr(threading.Thread, "start", start)
    assert statistics.sync_day(DAY).written == 20
    assert {threading.get_ident()} == THREADS


@pytest.mark.django_db
def test_where_merging_fails_the_response_is_closed_and_the_thread_ends(
    configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Totals, cursor: Any) -> None:
        raise ZeroDivisionError

    configure(TRANSPORT=f"{__name__}.Provider")
    monkeypatch.setattr(Totals, "add_rows", fail)
    monkeypatch.setattr(f"{__name__}.PAUSE", [0.05])
    with pytest.raises(ZeroDivisionError):
        statistics.sync_day(DAY)
    # While pytest still holds the error, and with it the frames.
    assert CLOSED
    assert not [one for one in threading.enumerate() if one.name == "voicepassword-ahead"]
