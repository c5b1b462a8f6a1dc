"""A row talks to the provider, over real HTTP: at most once, and whatever comes back ends in a
named state.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from django_voicepassword import limits, verifications
from django_voicepassword.calls import broker, placing, polling, recording, recovery
from django_voicepassword.exceptions import RateLimited, Unavailable
from django_voicepassword.models import CallRequest, CallStatus, LimitCounter, Verification
from django_voicepassword.provider.protocol import parse_report
from django_voicepassword.sandbox.magic_numbers import OUTCOMES
from django_voicepassword.verifications import dispatch
from tests.at_once import at_once
from tests.sandbox_process import SandboxProcess

# Nothing is committed in most of these tests, so nothing is dispatched: each places its calls
# itself.
pytestmark = pytest.mark.django_db
DEAD = "http://127.0.0.1:9/api/voice-password/"


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess(callback_delay=0.1) as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess, configure: Callable[..., None]) -> SandboxProcess:
    process.reset()
    use(configure, process)
    return process


def use(configure: Callable[..., None], process: SandboxProcess, **keys: Any) -> None:
    configure(**{**process.settings, "TIMEOUT": (1, 2), "RESEND_AFTER": 0, **keys})


def start(number: str = "79990000001", **given: Any) -> CallRequest:
    return verifications.start(number, **given).calls.get()


def fresh(call: CallRequest) -> CallRequest:
    return CallRequest.objects.select_related("verification").get(pk=call.pk)


def place(call: CallRequest) -> CallRequest:
    assert placing.place(call.pk) is None
    return fresh(call)


def can_log_in(call: CallRequest, code: str) -> bool:
    assert call.verification is not None
    return verifications.check(call.verification.id, code).status == Verification.Status.APPROVED


def test_our_code_is_what_rings_and_what_opens(sandbox: SandboxProcess) -> None:
    call = place(start())
    assert (call.state, call.price) == ("placed", Decimal("0.35"))
    (rang,) = sandbox.calls()
    assert (call.provider_id, rang["from"][-4:]) == (rang["id"], rang["code"])
    assert can_log_in(call, rang["code"])


@pytest.mark.parametrize(
    ("keys", "number", "digits"),
    [
        ({"CODE_SOURCE": "service"}, "79990000001", 4),
        (
            {"CODE_SOURCE": "service", "CODE_LENGTH": 6, "CHANNELS": ["flashcall", "sms"]},
            "79990000001",
            6,
        ),
        ({"CODE_SOURCE": "service", "CHANNELS": ["voice"]}, "79990000001", 4),
        ({"CHANNELS": ["voice"], "VOICE_REPEAT": True, "ANI": "74959999999"}, "79990000001", 4),
        ({}, "79990000308", 4),
    ],
)
def test_every_source_of_a_code(
    sandbox: SandboxProcess,
    configure: Callable[..., None],
    keys: dict[str, Any],
    number: str,
    digits: int,
) -> None:
    use(configure, sandbox, **keys)
    call = place(start(number))
    (rang,) = sandbox.calls()
    assert len(rang["code"]) == digits
    assert rang["channel"] == keys.get("CHANNELS", ["flashcall"])[0]
    assert ("Повторяю" in rang["says"]) == keys.get("VOICE_REPEAT", False)
    assert (rang["from"] == "74959999999") == ("ANI" in keys)
    assert can_log_in(call, rang["code"])


def test_with_the_code_of_the_provider_every_call_counts(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, CODE_SOURCE="service")
    first = place(start())
    assert first.verification is not None
    verifications.resend(first.verification.id)
    second = place(first.verification.calls.get(channel="voice"))
    assert first.code_digest != second.code_digest
    assert can_log_in(second, sandbox.calls()[0]["code"])


def test_a_reply_without_the_code_of_the_provider_is_told(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, CODE_SOURCE="service")
    assert place(start("79990000307")).error_code == "code_missing"


def test_an_sms_repeats_the_code_of_the_call_before(sandbox: SandboxProcess) -> None:
    call = place(start("79990000105"))
    assert call.verification is not None
    verifications.resend(call.verification.id, channel="sms")
    text = place(call.verification.calls.get(channel="sms"))
    assert (text.state, text.price) == ("placed", Decimal("3.30"))
    assert sandbox.calls()[-1]["follows"] == call.provider_id
    assert can_log_in(text, sandbox.calls()[-1]["code"])


@pytest.mark.parametrize(
    "number", [number for number, one in OUTCOMES.items() if one.reply.startswith("error:")]
)
def test_an_error_of_the_provider_is_refused_and_its_word_kept(
    sandbox: SandboxProcess, number: str
) -> None:
    call = place(start(number))
    assert (call.state, call.error_code) == (
        "refused",
        OUTCOMES[number].reply.removeprefix("error:"),
    )
    assert call.statuses.get().source == CallStatus.Source.SEND
    assert sandbox.calls() == []


@pytest.mark.parametrize(("number", "counted"), [("79990000206", 0), ("79990000201", 1)])
def test_a_refused_account_costs_the_person_nothing(
    sandbox: SandboxProcess, configure: Callable[..., None], number: str, counted: int
) -> None:
    """What the owner must mend gives the limits back; a number that cannot be called stays counted."""
    use(configure, sandbox, LIMITS={"phone": ["1/d"], "ip": []})
    call = place(start(number))
    assert call.verification is not None
    assert call.verification.sends == counted
    if counted:
        with pytest.raises(RateLimited):
            start(number)
    else:
        start(number)


@pytest.mark.parametrize(
    ("number", "error_code"),
    [
        ("79990000302", "no_reply"),
        ("79990000303", "no_reply"),
        ("79990000304", "no_reply"),
        ("79990000305", "unreadable_reply"),
        ("79990000306", "unreadable_reply"),
    ],
)
def test_a_lost_answer_is_unknown_rings_once_and_its_code_opens(
    sandbox: SandboxProcess, number: str, error_code: str
) -> None:
    call = place(start(number))
    assert (call.state, call.error_code) == ("unknown", error_code)
    assert placing.place(call.pk) is None
    (rang,) = sandbox.calls()
    assert can_log_in(call, rang["code"])


def test_a_refused_connection_waits_longer_each_time_and_ends_with_the_verification(
    process: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(
        configure,
        process,
        API_URL=DEAD,
        LIMITS={"phone": ["1/d"], "ip": []},
        DAILY_BUDGET=Decimal(100),
    )
    call = start()
    began = call.created_at
    waits, clock = [], began

    def at(moment: Any) -> float | None:
        CallRequest.objects.filter(pk=call.pk).update(created_at=began - (moment - timezone.now()))
        return placing.place(call.pk)

    while (wait := at(clock)) is not None:
        assert fresh(call).state == "queued"
        waits.append(wait)
        clock += timedelta(seconds=wait)
        Verification.objects.update(
            expires_at=timezone.now() + (began + timedelta(seconds=300) - clock)
        )
        assert len(waits) < 50
    call = fresh(call)
    assert (call.state, call.error_code) == ("refused", "unreachable")
    assert waits[0] < 5
    assert waits == sorted(waits)
    assert max(waits) <= 60
    assert 200 < sum(waits) <= 300
    # It surely did not ring: what was reserved is given back.
    budget = LimitCounter.objects.get(key=f"budget:{limits.provider_day(began)}")
    assert budget.amount == 0


@pytest.mark.django_db(transaction=True)
def test_several_workers_with_one_task_ring_once(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox)
    call = CallRequest.objects.create(
        verification=_verification(), phone="79990000001", channel="flashcall"
    )
    assert at_once([lambda: placing.place(call.pk)] * 6) == [None] * 6
    assert fresh(call).state == "placed"
    assert len(sandbox.calls()) == 1


def _verification(**values: Any) -> Verification:
    ends = timezone.now() + timedelta(seconds=300)
    return Verification.objects.create(
        phone="79990000001", purpose="login", expires_at=ends, **values
    )


@pytest.mark.parametrize("status", ["approved", "canceled", "max_attempts", "expired"])
def test_what_is_closed_is_not_called_for(sandbox: SandboxProcess, status: str) -> None:
    verification = _verification(
        status=status, approved_at=timezone.now() if status == "approved" else None
    )
    call = CallRequest.objects.create(
        verification=verification, phone="79990000001", channel="flashcall"
    )
    assert place(call).error_code == "verification_closed"
    assert sandbox.calls() == []


def test_what_is_expired_is_not_called_for(sandbox: SandboxProcess) -> None:
    call = start()
    past = timezone.now() - timedelta(seconds=301)
    Verification.objects.update(created_at=past, expires_at=past + timedelta(seconds=300))
    assert place(call).error_code == "verification_closed"
    assert sandbox.calls() == []


@pytest.mark.parametrize("state", ["placing", "placed", "unknown", "refused", "no_answer"])
def test_only_a_queued_call_is_placed(sandbox: SandboxProcess, state: str) -> None:
    call = start()
    CallRequest.objects.filter(pk=call.pk).update(state=state, claimed_at=timezone.now())
    assert place(call).state == state
    assert sandbox.calls() == []


def test_a_call_that_is_gone_is_left_alone(sandbox: SandboxProcess) -> None:
    assert placing.place(123456) is None


def test_a_fault_while_asking_leaves_it_unknown(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker told to stop, or a bug: nobody knows whether it rang."""

    def stop(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    monkeypatch.setattr("django_voicepassword.client.Client.flash_call", stop)
    call = start()
    with pytest.raises(SystemExit):
        placing.place(call.pk)
    assert (fresh(call).state, fresh(call).error_code) == ("unknown", "interrupted")


def test_a_setting_that_the_protocol_refuses_rings_nobody(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, CHANNELS=["voice"], ANI="me")
    assert place(start()).error_code == "misconfigured"
    assert sandbox.calls() == []


def test_no_code_no_key_and_no_number_is_logged(
    sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture, configure: Callable[..., None]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for number in ("79990000001", "79990000303", "79990000201", "79990000211", "79990000306"):
            place(start(number))
    codes = {call["code"] for call in sandbox.calls()}
    for record in caplog.records:
        if record.name.startswith("urllib3"):
            # Which connection was opened: our client never logs.
            continue
        text = f"{record.getMessage()} {record.exc_text or ''}"
        for secret in (*codes, sandbox.key, "7999000"):
            assert secret not in text, text


def test_a_broker_that_is_down_is_told_and_gives_back(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, LIMITS={"phone": ["1/d"], "ip": []})
    call = start()

    def down(*args: Any) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(broker, "publish", down)
    with pytest.raises(Unavailable):
        dispatch.enqueue(call.pk)
    call = fresh(call)
    assert (call.state, call.error_code) == ("refused", "broker_unavailable")
    assert call.verification is not None
    assert call.verification.sends == 0
    start()


@pytest.mark.django_db(transaction=True)
def test_inline_the_request_waits_and_tells_that_nobody_answers(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox)
    configure(
        DISPATCH="inline",
        TRANSPORT="http",
        API_KEY=sandbox.key,
        API_URL=sandbox.api_url,
        TIMEOUT=(1, 2),
    )
    assert start().state == "placed"
    configure(
        DISPATCH="inline", TRANSPORT="http", API_KEY=sandbox.key, API_URL=DEAD, TIMEOUT=(1, 2)
    )
    with pytest.raises(Unavailable):
        start("79990000002")
    assert CallRequest.objects.get(phone="79990000002").error_code == "unreachable"


def test_the_price_of_the_reply_corrects_the_budget(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, DAILY_BUDGET=Decimal("100"))
    limits.note_price("flashcall", Decimal("5.00"), timezone.now())
    call = place(start())
    key = f"budget:{limits.provider_day(call.created_at)}"
    assert LimitCounter.objects.get(key=key).amount == Decimal("0.35")
    assert limits.expected_price("flashcall") == Decimal("0.35")


def poll_at(call: CallRequest, seconds: float) -> int:
    assert call.placed_at is not None
    return polling.poll_due(call.placed_at + timedelta(seconds=seconds))


def test_a_state_that_nobody_reported_is_asked_for_at_the_delays(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, POLL_DELAYS=[15, 60])
    call = place(start("79990000103"))
    asked = [poll_at(call, seconds) for seconds in (14, 16)]
    assert asked == [0, 1]
    _until_final(sandbox, "BUSY")
    assert [poll_at(call, seconds) for seconds in (59, 61, 3600)] == [0, 1, 0]
    call = fresh(call)
    assert (call.state, call.service) == ("busy", "Flash Call")
    assert call.statuses.filter(source="poll").last().state == "busy"  # type: ignore[union-attr]
    assert (
        len([one for one in sandbox.ledger()["requests"] if one["address"].endswith("get/")]) == 2
    )


def _until_final(sandbox: SandboxProcess, state: str) -> None:
    for _ in range(200):
        if sandbox.calls()[-1]["state"] == state:
            return
        threading.Event().wait(0.02)
    raise AssertionError("the call did not end")


def test_a_final_state_is_not_asked_for(sandbox: SandboxProcess) -> None:
    call = place(start())
    recording.record(call.pk, parse_report({"state": "NO ANSWER"}), "callback")
    assert polling.poll_due(timezone.now() + timedelta(days=1)) == 0


def test_silence_ends_as_unknown_and_a_late_report_moves_it_still(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, POLL_DELAYS=[15, 60])
    call = place(start("79990000106"))
    _until_final(sandbox, "TELEPORTED")
    assert [poll_at(call, seconds) for seconds in (16, 61, 3600)] == [1, 1, 0]
    call = fresh(call)
    assert (call.state, call.error_code, call.next_poll_at) == ("unknown", "no_final_state", None)
    recording.record(call.pk, parse_report({"state": "BUSY"}), "callback")
    assert fresh(call).state == "busy"


def test_an_id_that_the_provider_does_not_know_is_not_asked_for_again(
    sandbox: SandboxProcess,
) -> None:
    call = place(start())
    CallRequest.objects.filter(pk=call.pk).update(provider_id="gone")
    assert poll_at(call, 16) == 1
    assert (fresh(call).state, fresh(call).error_code) == ("unknown", "ID_Not_Found")
    assert poll_at(call, 3600) == 0


def test_a_refused_account_stops_polling_with_one_alarm(
    sandbox: SandboxProcess, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    calls = [place(start(f"7999000000{digit}")) for digit in range(3)]
    configure(TRANSPORT="http", API_KEY="another-key", API_URL=sandbox.api_url, TIMEOUT=(1, 2))
    caplog.clear()
    assert poll_at(calls[-1], 20) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "authorisation_failed" in caplog.text
    # The next runs are refused too, silently, and no call is given up for it.
    for seconds in range(100, 2500, 100):
        assert poll_at(calls[-1], seconds) == 1
    assert len(caplog.records) == 1
    assert {fresh(call).state for call in calls} == {"placed"}
    configure(**sandbox.settings)
    assert poll_at(calls[-1], 5000) == 3
    # Refused anew: that is another alarm.
    other = place(start("79990000007"))
    configure(TRANSPORT="http", API_KEY="another-key", API_URL=sandbox.api_url, TIMEOUT=(1, 2))
    assert poll_at(other, 20) == 1
    assert [record.levelname for record in caplog.records if record.levelname == "ERROR"] == [
        "ERROR",
        "ERROR",
    ]


def test_a_worker_that_died_leaves_a_call_unknown_and_it_is_not_placed_again(
    sandbox: SandboxProcess,
) -> None:
    call = start()
    call.claim("", timezone.now() - timedelta(minutes=5))
    assert recovery.lose_abandoned() == [call.pk]
    assert recovery.lose_abandoned() == []
    assert (fresh(call).state, fresh(call).error_code) == ("unknown", "worker_lost")
    assert place(call).state == "unknown"
    assert sandbox.calls() == []


def test_a_worker_that_is_slow_is_not_dead(sandbox: SandboxProcess) -> None:
    call = start()
    call.claim("", timezone.now() - timedelta(seconds=20))
    assert recovery.lose_abandoned() == []


def test_a_call_whose_task_was_lost_is_handed_in_again(sandbox: SandboxProcess) -> None:
    call, young = start("79990000001"), start("79990000002")
    CallRequest.objects.filter(pk=call.pk).update(created_at=timezone.now() - timedelta(minutes=3))
    assert recovery.stuck_in_queue() == [call.pk]
    assert fresh(young).state == "queued"
