"""PostgreSQL finds a row by its primary key, even with statistics from before a burst."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_voicepassword.models import CallRequest, Verification

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.service("postgresql"),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="DATABASE_URL names another database"
    ),
]
QUIET, BURST = 20_000, 3_000


def add(count: int, status: str, state: str) -> None:
    """Create verifications with one call each."""
    now = timezone.now()
    verifications = [
        Verification(
            phone=f"7999{number:07}",
            status=status,
            created_at=now,
            expires_at=now + timedelta(minutes=5),
            approved_at=now if status == "approved" else None,
        )
        for number in range(count)
    ]
    Verification.objects.bulk_create(verifications, batch_size=5000)
    calls = [
        CallRequest(
            verification=verification,
            phone=verification.phone,
            channel="flashcall",
            state=state,
            claimed_at=now,
        )
        for verification in verifications
    ]
    CallRequest.objects.bulk_create(calls, batch_size=5000)


@pytest.fixture
def burst() -> CallRequest:
    """The newest call of a burst; at the last ANALYZE no row was pending or queued."""
    add(QUIET, "approved", "no_answer")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    add(BURST, "pending", "queued")
    return CallRequest.objects.select_related("verification").filter(state="queued").latest("id")


def claim(call: CallRequest) -> Any:
    return call.claim("", timezone.now())


def count_guess(call: CallRequest) -> Any:
    return Verification.count_guess(call.verification.id, timezone.now())  # type: ignore[union-attr]


def count_send(call: CallRequest) -> Any:
    return Verification.count_send(call.verification.id, timezone.now())  # type: ignore[union-attr]


def approve(call: CallRequest) -> Any:
    return call.verification.approve(timezone.now())  # type: ignore[union-attr]


@pytest.mark.parametrize("step", [claim, count_guess, count_send, approve])
def test_an_update_of_a_row_uses_the_primary_key(
    burst: CallRequest, step: Callable[[CallRequest], Any]
) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert step(burst)
    (update,) = [
        query["sql"] for query in captured.captured_queries if query["sql"].startswith("UPDATE")
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {update}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "_pkey" in plan, plan
