"""After a week of lost tasks, replies and callbacks our calls and prices agree with the provider's.

Concurrent syncs of one day agree too.
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
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, CallStatus, DailyStatistics, Verification
from django_voicepassword.provider.protocol import parse_callback
from django_voicepassword.sandbox.magic_numbers import OUTCOMES, outcome_of
from django_voicepassword.verifications import channels
from tests.concurrency import run_at_once
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.processes, pytest.mark.any_version]

#: Verifications a day. The environment variable WEEK_CALLS sets another number.
CALLS = int(os.environ.get("WEEK_CALLS", "20"))
#: Replies that only take time.
SLOW_REPLIES = {"slow", "silent"}
NUMBERS = [
    number
    for number, outcome in OUTCOMES.items()
    if outcome.reply not in SLOW_REPLIES and outcome.callbacks != "late"
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
        FRAUD_GUARD="off",
    )
    return process


def make_traffic(chance: random.Random) -> int:
    """Make a day of calls with every outcome, some followed by a resend.

    Some workers die before or after they send the request. Returns how many calls were claimed by
    a worker that died before.
    """
    never_sent = 0
    for _ in range(CALLS):
        verification = verifications.start(chance.choice([*NUMBERS, "79990000001", "79990000002"]))
        for _ in range(chance.choice([1, 1, 2])):
            call = verification.calls.order_by("-id").first()
            assert call is not None
            if chance.random() < 0.05:
                # The worker dies between the claim and the request: no phone rings.
                never_sent += call.claim("", timezone.now())
            else:
                placing.place(call.pk)
                # At some numbers the sandbox says that there is no money. The owner pays in.
                circuit.note_balance(Decimal(1000))
                if chance.random() < 0.05:
                    # The worker dies before it writes the reply.
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
        # The queue is lost with the tasks that are still in it: no phone rings.
        CallRequest.objects.filter(state="queued").update(
            state="refused", error_code="broker_unavailable"
        )
    return never_sent


def deliver_callbacks(sandbox: SandboxProcess, chance: random.Random) -> None:
    """Deliver a third of the callbacks, each twice."""
    for row in sandbox.calls():
        if chance.random() < 0.33 and row["state"] in STATES:
            call = CallRequest.objects.filter(provider_id=row["id"]).first()
            if call is not None:
                report = parse_callback(
                    f'{{"id": "{row["id"]}", "state": "{row["state"]}"}}'.encode()
                )
                for _ in range(2):
                    recording.record(call.pk, report, CallStatus.Source.CALLBACK)


def wait_for_final_states(sandbox: SandboxProcess) -> None:
    deadline = time.monotonic() + 30
    while any(row["state"] in ("DIALING", "QUEUED", "SEND") for row in sandbox.calls()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def grow_older(sandbox: SandboxProcess) -> None:
    """Let a day pass, for the provider and for the app."""
    sandbox.age()
    day = timedelta(days=1)
    names = ["created_at", "claimed_at", "placed_at", "finished_at", "occurred_at", "next_poll_at"]
    CallRequest.objects.update(**{name: F(name) - day for name in names})
    Verification.objects.update(created_at=F("created_at") - day, expires_at=F("expires_at") - day)
    DailyStatistics.objects.all().delete()


def run_week(sandbox: SandboxProcess, chance: random.Random) -> int:
    """Seven days of traffic; return how many calls no worker sent although it claimed them."""
    never_sent = 0
    for _ in range(7):
        never_sent += make_traffic(chance)
        wait_for_final_states(sandbox)
        deliver_callbacks(sandbox, chance)
        # The workers that died are noticed, and on some days missing reports are polled.
        recovery.lose_abandoned(timezone.now() + timedelta(hours=1))
        if chance.random() < 0.5:
            polling.poll_due(timezone.now() + timedelta(seconds=20))
        grow_older(sandbox)
    return never_sent


def assert_every_ring_has_its_call(ledger: list[dict[str, Any]]) -> None:
    """Each row of the provider's ledger has one call of the app, and each id one row."""
    identified = CallRequest.objects.exclude(provider_id="")
    calls = {(call.provider_id, call.channel == "sms"): call for call in identified}
    assert len(calls) == identified.count()
    for row in ledger:
        call = calls.pop((row["id"], row["channel"] == "sms"))
        assert (call.phone, call.price) == (row["number"], Decimal(row["price"]))
        assert call.origin == "app"
        assert_state_agrees(call, row)
    # No call has an id that is not in the ledger.
    assert calls == {}


def assert_state_agrees(call: CallRequest, row: dict[str, Any]) -> None:
    expected = STATES.get(row["state"])
    if expected is not None:
        assert call.state == expected or call.difference or _was_contradicted(row), (
            row,
            call.state,
        )


def assert_totals_agree(
    ledger: list[dict[str, Any]], days: list[DailyStatistics], never_sent: int
) -> None:
    # SQLite adds decimals as binary floats.
    spent = CallRequest.objects.aggregate(total=Sum("price"))["total"].quantize(Decimal("0.01"))
    assert spent == sum(Decimal(row["price"]) for row in ledger)
    assert spent == sum(day.total_price for day in days)
    assert sum(day.matched for day in days) == len(ledger)
    assert sum(day.imported for day in days) == 0
    # The provider lists every call except those that a dying worker never sent.
    assert sum(day.missing for day in days) == never_sent


@pytest.mark.django_db
def test_after_a_week_of_losses_every_call_and_kopeck_agrees(sandbox: SandboxProcess) -> None:
    never_sent = run_week(sandbox, random.Random(20260310))
    today = statistics.provider_today()
    days = [statistics.sync_day(today - timedelta(days=ago)).statistics for ago in range(9)]
    ledger = sandbox.calls()
    assert len(ledger) > CALLS * 4
    assert_every_ring_has_its_call(ledger)
    assert never_sent > 0
    assert_totals_agree(ledger, days, never_sent)
    assert CallRequest.objects.filter(state="unknown", provider_id="").count() == never_sent
    assert not CallRequest.objects.filter(state__in=["queued", "placing"]).exists()


def _was_contradicted(row: dict[str, Any]) -> bool:
    """Return whether the provider reports two final states for this call.

    The first stays until the daily statistics say otherwise.
    """
    return (
        len(
            [state for state in outcome_of(row["number"], row["channel"]).states if state in STATES]
        )
        > 1
    )


@pytest.mark.django_db(transaction=True)
def test_concurrent_syncs_of_one_day_write_each_row_once(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_voicepassword.statistics.sync.CHUNK", 300)
    sandbox.generate("10.03.2026", 2000)
    results: list[Any] = run_at_once([lambda: statistics.sync_day(date(2026, 3, 10))] * 3)
    assert [type(result).__name__ for result in results] == ["DayReport"] * 3, results
    assert sum(report.written for report in results) == 2000
    assert CallRequest.objects.count() == CallStatus.objects.count() == 2000
    day = DailyStatistics.objects.get()
    assert (day.rows, day.imported, day.total_price) == (2000, 2000, Decimal("700.00")), (
        connection.vendor
    )
