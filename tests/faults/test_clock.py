"""A clock that steps back an hour: nothing is locked for the hour, and nothing is allowed twice.

To the second, in one process: the time is frozen and moved back, or the rows are moved on. Beside
it, with processes: ``test_clock_of_processes``.
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
#: What the clock shows after it stepped back.
ELEVEN = NOON - timedelta(hours=1)


def after(seconds: float) -> Any:
    """So many seconds after the step."""
    return freeze_time(ELEVEN + timedelta(seconds=seconds))


def sends(count: int) -> int:
    """How many of ``count`` starts for one number get through."""
    done = 0
    for _ in range(count):
        try:
            verifications.start(NUMBER)
        except RateLimited:
            continue
        done += 1
    return done


def test_sends_wait_their_period_from_now_and_are_no_more(
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
    # The clock comes by the hour at which it stepped: what was sent there counts no more, and no
    # less.
    with freeze_time(NOON):
        assert sends(5) == 3
    assert len(outbox) == 9


def test_guesses_wait_their_period_from_now_and_are_no_more(
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
        # What beat starts every 15 s.
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


def test_what_a_person_is_told_lies_within_the_lifetime(outbox: list[Sent], client: Client) -> None:
    with freeze_time(NOON):
        verification = verifications.start(NUMBER)
    with after(0):
        assert verifications.get(verification.id).created_at == verification.created_at
        # What beat starts every 15 s.
        recovery.restamp()
        told = client.get(f"/api/verifications/{verification.id}/").json()
    assert datetime.fromisoformat(told["resend_at"]) == ELEVEN + timedelta(seconds=60)
    assert datetime.fromisoformat(told["expires_at"]) == ELEVEN + timedelta(seconds=300)


def test_who_has_the_code_gets_in_and_the_code_does_not_live_for_an_hour(
    outbox: list[Sent],
) -> None:
    with freeze_time(NOON):
        used = verifications.start(NUMBER)
        left = verifications.start("79990000002")
    with after(0):
        # What beat starts every 15 s.
        recovery.restamp()
    with after(299):
        assert verifications.check(used.id, outbox[0].code).status == Verification.Status.APPROVED
    with after(301), pytest.raises(VerificationExpired):
        verifications.check(left.id, outbox[1].code)


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
    """A queued call; its task is not handed to any broker."""
    monkeypatch.setattr(dispatch, "enqueue", lambda call_id: None)
    return verifications.start(number).calls.get()


def step_back() -> None:
    """For the rows an hour passes: the same as if the clock had lost it."""
    hour = timedelta(hours=1)
    names = ["created_at", "claimed_at", "placed_at", "next_poll_at"]
    CallRequest.objects.update(**{name: F(name) + hour for name in names})
    Verification.objects.update(
        **{name: F(name) + hour for name in ("expires_at", "created_at", "last_sent_at")}
    )


def test_a_call_is_asked_for_at_its_delays_from_now(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = start(monkeypatch, "79990000106")
    placing.place(call.pk)
    step_back()
    now = datetime.now(timezone.utc)
    asked = []
    for seconds in (0, 14, 16, 30, 59, 61, 90):
        recovery.restamp(now + timedelta(seconds=seconds))
        asked.append(polling.poll_due(now + timedelta(seconds=seconds)))
    assert asked == [0, 0, 1, 0, 0, 1, 0]
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
    # No sooner than ever: the worker may be at work still.
    assert recovery.lose_abandoned(now + timedelta(seconds=30)) == []
    assert recovery.lose_abandoned(now + timedelta(seconds=60)) == [died.pk]
    assert recovery.stuck_in_queue(now + timedelta(seconds=100)) == []
    assert recovery.stuck_in_queue(now + timedelta(seconds=130)) == [lost.pk]


def test_servers_whose_clocks_differ_by_seconds_wait_as_ever(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    """A clock that is a little behind is none that stepped back: it shortens nothing."""
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
