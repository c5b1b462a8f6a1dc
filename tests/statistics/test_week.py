"""A week of traffic in which everything that can be lost is lost, and two syncs at once: the books
agree to the kopeck.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Sum
from django.utils import timezone

from django_voicepassword import statistics, verifications
from django_voicepassword.calls import placing, polling, recording, recovery
from django_voicepassword.models import CallRequest, CallStatus, DailyStatistics, Verification
from django_voicepassword.provider.protocol import parse_callback
from django_voicepassword.sandbox.magic_numbers import OUTCOMES, outcome_of
from django_voicepassword.verifications import channels
from tests.concurrency import run_at_once
from tests.sandbox_process import SandboxProcess

#: Calls a day; a person may want more: WEEK_CALLS=2000.
CALLS = int(os.environ.get("WEEK_CALLS", "40"))
#: Nothing that only takes time.
SLOW = {"slow", "silent"}
NUMBERS = [
    number for number, one in OUTCOMES.items() if one.reply not in SLOW and one.callbacks != "late"
]
STATES = {
    "ANSWERED": "answered",
    "NO ANSWER": "no_answer",
    "BUSY": "busy",
    "CANCEL": "canceled",
    "FAIL": "failed",
    "DELIVERED": "delivered",
    "NOT DELIVERED": "not_delivered",
}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.02, balance="1000000.00") as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> SandboxProcess:
    process.reset()
    configure(
        **process.settings,
        TIMEOUT=(1, 5),
        RESEND_AFTER=0,
        MAX_SENDS=10,
        LIMITS={"phone": [], "ip": [], "phone_guesses": []},
    )
    return process


def traffic(chance: random.Random) -> int:
    """One day: calls of every outcome, some followed by another try; workers die before and after
    asking.

    How many were claimed by a worker that died before it asked.
    """
    never_sent = 0
    for _ in range(CALLS):
        verification = verifications.start(chance.choice([*NUMBERS, "79990000001", "79990000002"]))
        for _ in range(chance.choice([1, 1, 2])):
            call = verification.calls.order_by("-id").first()
            assert call is not None
            if chance.random() < 0.05:
                # A worker died between the claim and the request: nothing rang.
                never_sent += call.claim("", timezone.now())
            else:
                placing.place(call.pk)
                if chance.random() < 0.05:
                    # It died before the reply was written.
                    CallRequest.objects.filter(pk=call.pk, state="placed").update(
                        state="placing",
                        provider_id="",
                        price=None,
                        placed_at=None,
                        next_poll_at=None,
                    )
            verification.refresh_from_db()
            usable = channels.following(list(verification.calls.order_by("id")))
            if verification.is_open and usable:
                verifications.resend(verification.id, channel=chance.choice(usable))
        # What is still queued is lost with its queue: nothing rang.
        CallRequest.objects.filter(state="queued").update(
            state="refused", error_code="broker_unavailable"
        )
    return never_sent


def hear(sandbox: SandboxProcess, chance: random.Random) -> None:
    """A third of the callbacks come, doubled and in any order."""
    for row in sandbox.calls():
        if chance.random() < 0.33 and row["state"] in STATES:
            call = CallRequest.objects.filter(provider_id=row["id"]).first()
            if call is not None:
                report = parse_callback(
                    f'{{"id": "{row["id"]}", "state": "{row["state"]}"}}'.encode()
                )
                for _ in range(2):
                    recording.record(call.pk, report, CallStatus.Source.CALLBACK)


def settle(sandbox: SandboxProcess) -> None:
    ends = time.monotonic() + 30
    while any(row["state"] in ("DIALING", "QUEUED", "SEND") for row in sandbox.calls()):
        assert time.monotonic() < ends
        time.sleep(0.05)


def grow_older(sandbox: SandboxProcess) -> None:
    """A day passes, for the provider and for us."""
    sandbox.age()
    day = timedelta(days=1)
    names = ["created_at", "claimed_at", "placed_at", "finished_at", "occurred_at", "next_poll_at"]
    CallRequest.objects.update(**{name: F(name) - day for name in names})
    Verification.objects.update(created_at=F("created_at") - day, expires_at=F("expires_at") - day)
    DailyStatistics.objects.all().delete()


@pytest.mark.django_db
def test_a_week_of_losses_and_the_books_agree(sandbox: SandboxProcess) -> None:
    chance = random.Random(20260310)
    never_sent = 0
    for _ in range(7):
        never_sent += traffic(chance)
        settle(sandbox)
        hear(sandbox, chance)
        # Workers that died are noticed; what nobody reported is asked for, some of it.
        recovery.lose_abandoned(timezone.now() + timedelta(hours=1))
        if chance.random() < 0.5:
            polling.poll_due(timezone.now() + timedelta(seconds=20))
        grow_older(sandbox)
    today = statistics.provider_today()
    days = [statistics.sync_day(today - timedelta(days=ago)).statistics for ago in range(9)]

    rang = sandbox.calls()
    assert len(rang) > CALLS * 4
    kept = {
        (call.provider_id, call.channel == "sms"): call
        for call in CallRequest.objects.exclude(provider_id="")
    }
    assert len(kept) == CallRequest.objects.exclude(provider_id="").count()
    for row in rang:
        call = kept.pop((row["id"], row["channel"] == "sms"))
        told = STATES.get(row["state"])
        assert (call.phone, call.price) == (row["number"], Decimal(row["price"]))
        assert call.origin == "app"
        if told is not None:
            assert call.state == told or call.difference or _was_contradicted(row), (
                row,
                call.state,
            )
    # Nothing that we hold an id for did not ring.
    assert kept == {}
    # SQLite adds up in binary.
    spent = CallRequest.objects.aggregate(total=Sum("price"))["total"].quantize(Decimal("0.01"))
    assert (
        spent == sum(Decimal(row["price"]) for row in rang) == sum(day.total_price for day in days)
    )
    assert sum(day.matched for day in days) == len(rang)
    assert sum(day.imported for day in days) == 0
    # What a dying worker never sent is all that the provider does not list.
    assert never_sent > 0
    assert sum(day.missing for day in days) == never_sent
    assert CallRequest.objects.filter(state="unknown", provider_id="").count() == never_sent
    assert not CallRequest.objects.filter(state__in=["queued", "placing"]).exists()


def _was_contradicted(row: dict[str, Any]) -> bool:
    """The provider told two final states: the first stays until its statistics say otherwise."""
    return (
        len(
            [state for state in outcome_of(row["number"], row["channel"]).states if state in STATES]
        )
        > 1
    )


@pytest.mark.django_db(transaction=True)
def test_two_syncs_of_one_day_at_once_do_not_collide(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_voicepassword.statistics.sync.CHUNK", 300)
    sandbox.generate("10.03.2026", 2000)
    results: list[Any] = run_at_once([lambda: statistics.sync_day(date(2026, 3, 10))] * 3)
    assert [type(one).__name__ for one in results] == ["DayReport"] * 3, results
    assert sum(report.written for report in results) == 2000
    assert CallRequest.objects.count() == CallStatus.objects.count() == 2000
    day = DailyStatistics.objects.get()
    assert (day.rows, day.imported, day.total_price) == (2000, 2000, Decimal("700.00")), (
        connection.vendor
    )
