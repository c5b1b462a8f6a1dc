"""Refused attempts: one row per number, address and reason, and never more than the bound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections, transaction
from django.test import RequestFactory
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.exceptions import (
    InvalidPhone,
    PrefixNotAllowed,
    RateLimited,
    Unavailable,
    VerificationError,
)
from django_voicepassword.limits import refusals
from django_voicepassword.models import RefusedAttempt
from tests.concurrency import run_at_once
from tests.missing_table import missing_table

PHONE = "79991234567"
REQUEST = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
LIMITED = RateLimited("ip", 60)


@pytest.fixture
def received() -> Iterator[list[dict[str, Any]]]:
    received: list[dict[str, Any]] = []

    def keep(**values: Any) -> None:
        received.append(values)

    signals.send_refused.connect(keep)
    yield received
    signals.send_refused.disconnect(keep)


def rows() -> list[tuple[str, str, str, int]]:
    found = RefusedAttempt.objects.order_by("id")
    return list(found.values_list("phone", "address", "reason", "count"))


@pytest.mark.django_db
def test_repeated_attempts_share_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    first = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: first)
    refusals.record(LIMITED, PHONE, REQUEST)
    last = first + timedelta(minutes=5)
    monkeypatch.setattr(timezone, "now", lambda: last)
    refusals.record(LIMITED, PHONE, REQUEST)

    assert rows() == [(PHONE, "192.0.2.1", "ip", 2)]
    row = RefusedAttempt.objects.get()
    assert (row.first_at, row.last_at) == (first, last)


@pytest.mark.django_db
def test_number_address_and_reason_tell_the_rows_apart() -> None:
    refusals.record(LIMITED, PHONE, REQUEST)
    refusals.record(LIMITED, "79991234568", REQUEST)
    refusals.record(LIMITED, PHONE, None)
    refusals.record(RateLimited("phone", 60), PHONE, REQUEST)
    refusals.record(PrefixNotAllowed(), PHONE, REQUEST)

    assert rows() == [
        (PHONE, "192.0.2.1", "ip", 1),
        ("79991234568", "192.0.2.1", "ip", 1),
        (PHONE, "", "ip", 1),
        (PHONE, "192.0.2.1", "phone", 1),
        (PHONE, "192.0.2.1", "prefix_not_allowed", 1),
    ]


@pytest.mark.django_db
def test_the_signal_tells_the_error_the_number_and_the_request(
    received: list[dict[str, Any]],
) -> None:
    refusals.record(LIMITED, PHONE, REQUEST)
    (values,) = received
    assert (values["error"], values["phone"], values["request"]) == (LIMITED, PHONE, REQUEST)


@pytest.mark.django_db
def test_what_is_no_number_has_no_row_but_a_signal(received: list[dict[str, Any]]) -> None:
    refusals.record(InvalidPhone(), "", REQUEST)
    assert rows() == []
    assert len(received) == 1


@pytest.mark.django_db
def test_a_long_word_of_the_project_fits_the_column() -> None:
    class OfTheProject(VerificationError):
        code = "closed_on_sundays_and_on_all_public_holidays"

    refusals.record(OfTheProject(), PHONE, REQUEST)
    assert rows() == [(PHONE, "192.0.2.1", "closed_on_sundays_and_on_all_pub", 1)]


@pytest.mark.django_db(transaction=True)
def test_attempts_at_once_are_all_counted() -> None:
    outcomes = run_at_once([lambda: refusals.record(LIMITED, PHONE, REQUEST)] * 8)
    assert outcomes == [None] * 8
    assert rows() == [(PHONE, "192.0.2.1", "ip", 8)]


@pytest.mark.django_db
def test_a_database_that_fails_changes_nothing_for_the_person(
    received: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with transaction.atomic():
        with missing_table(RefusedAttempt):
            refusals.record(LIMITED, PHONE, REQUEST)
        assert rows() == [], "the transaction of the project cannot be used any more"
    assert len(received) == 1
    assert "could not be noted" in caplog.text
    assert PHONE not in caplog.text


@pytest.mark.django_db
def test_a_database_that_has_failed_already_is_not_asked_again(
    received: list[dict[str, Any]], django_assert_num_queries: Any
) -> None:
    error = Unavailable("the database cannot be used")
    error.__cause__ = OperationalError("locked")
    with django_assert_num_queries(0, connection=connections["default"]):
        refusals.record(error, PHONE, REQUEST)
    assert len(received) == 1


@pytest.mark.django_db
def test_the_oldest_rows_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "TRIMMED_TO", 3)
    monkeypatch.setattr(refusals, "TRIM_EACH", 1)
    now = timezone.now()
    # Several have one moment: only the newer ones of them stay.
    for number, minutes in enumerate([5, 4, 4, 4, 3]):
        RefusedAttempt.objects.create(
            phone=f"7999123000{number}", reason="ip", last_at=now - timedelta(minutes=minutes)
        )
    refusals.record(LIMITED, PHONE, REQUEST)
    assert [phone for phone, *_ in rows()] == ["79991230003", "79991230004", PHONE]
