"""A generated history of calls, written in bulk: about as many verifications as calls, and as many
statuses.

The calls cover the last ninety days and all states and channels. Four numbers in five were
called more than once, a tenth of the numbers have a user, and one call in a hundred was imported.
"""

from __future__ import annotations

import random
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.measuring import progress
from django_voicepassword import statistics
from django_voicepassword.models import (
    CallRequest,
    CallStatus,
    LimitCounter,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.security import mask

sys.path.append(str(Path(__file__).resolve().parent.parent / "example_project"))
from demo_data.tables import Table

CHUNK = 10_000
DAYS = 90
#: The number of days for which the figures of the dashboard are counted.
FIGURES = DAYS
_STATES = ["no_answer"] * 11 + ["canceled"] * 4 + ["busy"] * 2 + ["answered", "failed", "refused"]


def fill(calls: int) -> None:
    """Write ``calls`` calls with their users, verifications, statuses and figures."""
    chance = random.Random(calls)
    now = timezone.now()
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA cache_size = -64000")
    _users(calls // 20 + 1, now)
    tables = [Table(model) for model in (Verification, CallRequest, CallStatus)]
    for first in range(0, calls, CHUNK):
        numbers = range(first, min(first + CHUNK, calls))
        made = [
            _call(chance, now - timedelta(days=DAYS) * (1 - (one + 1) / calls), one, calls)
            for one in numbers
        ]
        with transaction.atomic():
            _write(tables, made)
        progress(f"history: {numbers[-1] + 1:,} of {calls:,} calls")
    for day in range(min(FIGURES, DAYS), -1, -1):
        statistics.refresh_figures(statistics.provider_today() - timedelta(days=day))
    with connection.cursor() as cursor:
        # A server does this by itself after a while.
        cursor.execute(
            "ANALYZE"
            if connection.vendor != "mysql"
            else "ANALYZE TABLE django_voicepassword_callrequest"
        )
    connection.close()


def phone(number: int, calls: int) -> str:
    """One of ``calls / 2`` different numbers, scattered over the whole range."""
    return f"7999{number % (calls // 2 + 1) * 7919 % 10_000_000:07}"


def _users(count: int, now: datetime) -> None:
    model = get_user_model()
    for first in range(0, count, CHUNK):
        numbers = range(first, min(first + CHUNK, count))
        users = model.objects.bulk_create(
            [model(username=f"user_{one:08}", password="!") for one in numbers]
        )
        phones = [phone(one * 10, count * 20) for one in numbers]
        VerifiedPhone.objects.bulk_create(
            [
                VerifiedPhone(user=user, phone=number, verified_at=now)
                for user, number in zip(users, phones, strict=True)
            ],
            ignore_conflicts=True,
        )
        LimitCounter.objects.bulk_create(
            [LimitCounter(key=f"phone:{number}", events="{}", updated_at=now) for number in phones],
            ignore_conflicts=True,
        )


def _call(chance: random.Random, at: datetime, number: int, calls: int) -> CallRequest:
    """A finished call, unsaved, with an unsaved verification unless it is an imported one."""
    state = chance.choice(_STATES)
    channel = "flashcall" if number % 10 else "sms" if state in ("canceled", "failed") else "voice"
    if channel == "sms":
        state = "delivered" if state == "canceled" else "not_delivered"
    own = phone(number if number % 5 else chance.randrange(calls), calls)
    verification = Verification(
        id=uuid.UUID(int=chance.getrandbits(128), version=4),
        phone=own,
        status="approved" if number % 3 else "expired",
        approved_at=at + timedelta(seconds=20) if number % 3 else None,
        attempts=1 if number % 3 else 0,
        sends=1,
        created_at=at,
        last_sent_at=at,
        expires_at=at + timedelta(seconds=300),
        ip=f"198.{18 + number % 2}.{number // 256 % 256}.{number % 256}",
    )
    imported = number % 100 == 0
    return CallRequest(
        verification=None if imported else verification,
        phone=own,
        channel=channel,
        state=state,
        provider_id=str(9_000_000_000_000_000 + number),
        service="Voice Password",
        price=Decimal("3.30") if channel == "sms" else Decimal("0.35"),
        duration=chance.randrange(30),
        origin="imported" if imported else "app",
        error_code="number_in_spam_list" if state == "refused" else "",
        created_at=at,
        claimed_at=at,
        placed_at=at,
        finished_at=at + timedelta(seconds=30),
        occurred_at=at,
        code_digest=f"{chance.getrandbits(256):064x}",
        listed_at=at,
        difference=2 if number % 50 == 0 else 0,
    )


def _write(tables: list[Any], calls: list[CallRequest]) -> None:
    verifications, requests, statuses = tables
    verifications.insert(
        [verifications.row(one.verification) for one in calls if one.verification is not None]
    )
    keys = requests.insert_returning_keys([requests.row(one) for one in calls])
    statuses.insert(statuses.row(one) for one in _statuses(keys, calls))


def _statuses(keys: list[int], calls: list[CallRequest]) -> Iterator[CallStatus]:
    for key, call in zip(keys, calls, strict=True):
        assert call.finished_at is not None
        yield CallStatus(
            call_id=key,
            state=call.state,
            raw_state=call.state.upper(),
            source="callback",
            occurred_at=call.occurred_at,
            received_at=call.finished_at,
            duration=call.duration,
            price=call.price,
            payload={
                "id": call.provider_id,
                "number": mask(call.phone),
                "state": call.state.upper(),
            },
        )
