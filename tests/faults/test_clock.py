"""A clock that steps back an hour: nothing is locked for the hour, and nothing is allowed twice.

Exact to the second, in one process: the tests freeze the time and move it back, or move the rows
forward. ``test_clock_of_processes`` does it with real processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from freezegun import freeze_time

from django_voicepassword import verifications
from django_voicepassword.calls import placing, polling, recovery
from django_voicepassword.exceptions import RateLimited, VerificationExpired, WrongCode
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import dispatch
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = "79990000001"
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
#: What the clock shows after the step.
ELEVEN = NOON - timedelta(hours=1)


def after(seconds: float) -> Any:
    """Freeze the time at ``seconds`` after the step."""
    return freeze_time(ELEVEN + timedelta(seconds=seconds))


def sends(count: int) -> int:
    """Return how many of ``count`` starts for one number are allowed."""
    allowed = 0
    for _ in range(count):
        try:
            verifications.start(NUMBER)
        except RateLimited:
            continue
        allowed += 1
    return allowed


def test_sends_wait_one_period_from_now_and_stay_limited(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["3/10m"]})
    with freeze_time(NOON):
        assert sends(5) == 3
    with after(0), pytest.raises(RateLimited) as caught:
        verifications.start(NUMBER)
    assert (caught.value.limit, caught.value.retry_after) == ("phone", 600)
    with after(595):
        assert sends(1) == 0
    with after(601):
        assert sends(5) == 3
    # The clock reaches the time of the step again: the old sends do not count twice.
    with freeze_time(NOON):
        assert sends(5) == 3
    assert len(outbox) == 9


def test_guesses_wait_one_period_from_now_and_stay_limited(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "phone_guesses": ["2/10m"]})

    def guess() -> type[Exception]:
        wrong = f"{(int(outbox[-1].code) + 1) % 10000:04}"
        with pytest.raises((WrongCode, RateLimited)) as caught:
            verifications.check(verification.id, wrong)
        return caught.type if caught.type is WrongCode else RateLimited

    with freeze_time(NOON):
        verification = verifications.start(NUMBER)
        assert [guess() for _ in range(3)] == [WrongCode, WrongCode, RateLimited]
    with after(0):
        verification = verifications.start(NUMBER)
        assert guess() is RateLimited
    with after(601):
        verification = verifications.start(NUMBER)
        assert [guess() for _ in range(3)] == [WrongCode, WrongCode, RateLimited]


def test_a_resend_waits_a_minute_from_now(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": []})
    with freeze_time(NOON):
        verification = verifications.start(NUMBER)
    with after(0):
        # Beat does this every 15 s.
        recovery.restamp()
        with pytest.raises(RateLimited) as caught:
            verifications.resend(verification.id)
    assert (caught.value.limit, caught.value.retry_after) == ("resend_after", 60)
    with after(59), pytest.raises(RateLimited):
        verifications.resend(verification.id)
    with after(61):
        verifications.resend(verification.id)
        with pytest.raises(RateLimited):
            verifications.resend(verification.id)
    assert len(outbox) == 2


def test_times_in_the_api_lie_within_the_lifetime(outbox: list[Sent], client: Client) -> None:
    with freeze_time(NOON):
        verification = verifications.start(NUMBER)
    with after(0):
        # ``get`` writes nothing; beat moves the rows every 15 s.
        assert verifications.get(verification.id).created_at == verification.created_at
        recovery.restamp()
        answer = client.get(f"/api/verifications/{verification.id}/").json()
    assert datetime.fromisoformat(answer["resend_at"]) == ELEVEN + timedelta(seconds=60)
    assert datetime.fromisoformat(answer["expires_at"]) == ELEVEN + timedelta(seconds=300)


def test_the_right_code_gets_in_and_expires_in_time(outbox: list[Sent]) -> None:
    with freeze_time(NOON):
        used = verifications.start(NUMBER)
        unused = verifications.start("79990000002")
    with after(0):
        # Beat does this every 15 s.
        recovery.restamp()
    with after(299):
        assert verifications.check(used.id, outbox[0].code).status == Verification.Status.APPROVED
    with after(301), pytest.raises(VerificationExpired):
        verifications.check(unused.id, outbox[1].code)


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> SandboxProcess:
    process.reset()
    configure(**process.settings, TIMEOUT=(1, 2), POLL_DELAYS=[15, 60])
    return process


def start(monkeypatch: pytest.MonkeyPatch, number: str = NUMBER) -> CallRequest:
    """Return a queued call whose task is not sent to any broker."""
    monkeypatch.setattr(dispatch, "enqueue", lambda call_id: None)
    return verifications.start(number).calls.get()


def step_back() -> None:
    """Move the rows an hour into the future: the same as a clock that steps back an hour."""
    hour = timedelta(hours=1)
    names = ["created_at", "claimed_at", "placed_at", "next_poll_at"]
    CallRequest.objects.update(**{name: F(name) + hour for name in names})
    Verification.objects.update(
        **{name: F(name) + hour for name in ("expires_at", "created_at", "last_sent_at")}
    )


def test_a_call_is_polled_after_its_delays_from_now(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = start(monkeypatch, "79990000106")
    placing.place(call.pk)
    step_back()
    now = datetime.now(timezone.utc)
    polled = []
    for seconds in (0, 14, 16, 30, 59, 61, 90):
        recovery.restamp(now + timedelta(seconds=seconds))
        polled.append(polling.poll_due(now + timedelta(seconds=seconds)))
    assert polled == [0, 0, 1, 0, 0, 1, 0]
    call.refresh_from_db()
    assert (call.state, call.error_code) == ("unknown", "no_final_state")


def test_a_worker_that_died_and_a_task_that_was_lost_are_noticed(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    died, lost = start(monkeypatch), start(monkeypatch, "79990000002")
    died.claim("", datetime.now(timezone.utc))
    step_back()
    now = datetime.now(timezone.utc)
    recovery.restamp(now)
    # Not earlier than usual: the worker may still be running.
    assert recovery.lose_abandoned(now + timedelta(seconds=30)) == []
    assert recovery.lose_abandoned(now + timedelta(seconds=60)) == [died.pk]
    assert recovery.stuck_in_queue(now + timedelta(seconds=100)) == []
    assert recovery.stuck_in_queue(now + timedelta(seconds=130)) == [lost.pk]


def test_a_clock_that_is_seconds_behind_shortens_no_limit(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    """The clocks of two servers may differ a little; that is no step back."""
    configure(LIMITS={"phone": ["1/10m"]})
    with freeze_time(NOON):
        verification = verifications.start(NUMBER)
    for _ in range(2):
        with freeze_time(NOON - timedelta(seconds=5)), pytest.raises(RateLimited):
            verifications.start(NUMBER)
    with freeze_time(NOON + timedelta(seconds=598)), pytest.raises(RateLimited):
        verifications.start(NUMBER)
    verification.refresh_from_db()
    assert (verification.created_at, verification.last_sent_at) == (NOON, NOON)
