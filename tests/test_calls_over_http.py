"""Calls are placed, polled and recovered over real HTTP, against the sandbox.

A call rings at most once, and ends in a named state whatever the provider answers.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from datetime import timezone as dt_timezone
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword import limits, statistics, verifications
from django_voicepassword.calls import broker, placing, polling, recording, recovery
from django_voicepassword.exceptions import RateLimited, Unavailable
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.provider.protocol import parse_report
from django_voicepassword.sandbox.magic_numbers import OUTCOMES
from django_voicepassword.verifications import dispatch
from tests.concurrency import run_at_once
from tests.sandbox_process import SandboxProcess
from tests.secrets.secret_search import Secrets
from tests.test_client import Wire, http
from tests.waiting import until

# Most of these tests commit nothing, so nothing is dispatched: each test places its calls itself.
pytestmark = pytest.mark.django_db
UNREACHABLE_URL = "http://127.0.0.1:9/api/voice-password/"
#: Longer than a busy machine stops a process for.
PATIENT = (10, 10)


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
    configure(**{**process.settings, "TIMEOUT": PATIENT, "RESEND_AFTER": 0, **keys})


def start(number: str = "79990000001", **options: Any) -> CallRequest:
    """Start a verification and return its call, which is queued."""
    return verifications.start(number, **options).calls.get()


def fresh(call: CallRequest) -> CallRequest:
    """Return the call as the database has it now."""
    return CallRequest.objects.select_related("verification").get(pk=call.pk)


def place(call: CallRequest) -> CallRequest:
    """Place the call, which must not ask for another try, and return its new row."""
    assert placing.place(call.pk) is None
    return fresh(call)


def can_log_in(call: CallRequest, code: str) -> bool:
    assert call.verification is not None
    return verifications.check(call.verification.id, code).status == Verification.Status.APPROVED


def test_our_code_rings_and_is_accepted(sandbox: SandboxProcess) -> None:
    call = place(start())
    assert (call.state, call.price) == ("placed", Decimal("0.35"))
    (ringing,) = sandbox.calls()
    assert (call.provider_id, ringing["from"][-4:]) == (ringing["id"], ringing["code"])
    assert can_log_in(call, ringing["code"])


def test_an_error_object_with_status_500_is_a_refusal(configure: Callable[..., None]) -> None:
    """The provider said that it did not call: nothing rang and nothing was paid."""

    def refuse(connection: socket.socket, number: int) -> bool:
        connection.sendall(http(b'{"result":"error","error_code":"number_not_valid"}', "500 Oops"))
        return False

    server = Wire(refuse)
    configure(TRANSPORT="http", API_KEY="key", API_URL=server.url, TIMEOUT=PATIENT)
    call = place(start())
    server.close()
    assert (call.state, call.error_code) == ("refused", "number_not_valid")


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
def test_a_code_from_every_source_rings_and_is_accepted(
    sandbox: SandboxProcess,
    configure: Callable[..., None],
    keys: dict[str, Any],
    number: str,
    digits: int,
) -> None:
    use(configure, sandbox, **keys)
    call = place(start(number))
    (ringing,) = sandbox.calls()
    assert len(ringing["code"]) == digits
    assert ringing["channel"] == keys.get("CHANNELS", ["flashcall"])[0]
    assert ("Повторяю" in ringing["says"]) == keys.get("VOICE_REPEAT", False)
    assert (ringing["from"] == "74959999999") == ("ANI" in keys)
    assert can_log_in(call, ringing["code"])


def test_the_code_of_the_call_before_the_newest_is_accepted(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, CODE_SOURCE="service")
    first = place(start())
    assert first.verification is not None
    verifications.resend(first.verification.id)
    second = place(first.verification.calls.get(channel="voice"))
    assert first.code_digest != second.code_digest
    assert can_log_in(second, sandbox.calls()[0]["code"])


def test_a_reply_without_the_providers_code_is_recorded_as_an_error(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, CODE_SOURCE="service")
    assert place(start("79990000307")).error_code == "code_missing"


def test_an_sms_repeats_the_code_of_the_earlier_call(sandbox: SandboxProcess) -> None:
    call = place(start("79990000105"))
    assert call.verification is not None
    verifications.resend(call.verification.id, channel="sms")
    sms = place(call.verification.calls.get(channel="sms"))
    assert (sms.state, sms.price) == ("placed", Decimal("3.30"))
    assert sandbox.calls()[-1]["follows"] == call.provider_id
    assert can_log_in(sms, sandbox.calls()[-1]["code"])


@pytest.mark.parametrize(
    "number", [number for number, outcome in OUTCOMES.items() if outcome.reply.startswith("error:")]
)
def test_an_error_of_the_provider_refuses_the_call_and_is_stored(
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
def test_a_refused_account_does_not_count_as_a_send(
    sandbox: SandboxProcess, configure: Callable[..., None], number: str, counted: int
) -> None:
    """A send counts if the number is at fault, and does not if the owner's account is."""
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
def test_a_call_with_a_lost_answer_is_unknown_rings_once_and_its_code_is_accepted(
    sandbox: SandboxProcess, configure: Callable[..., None], number: str, error_code: str
) -> None:
    if number == "79990000302":
        # No answer comes for a minute.
        use(configure, sandbox, TIMEOUT=(1, 2))
    call = place(start(number))
    assert (call.state, call.error_code) == ("unknown", error_code)
    assert placing.place(call.pk) is None
    (ringing,) = sandbox.calls()
    assert can_log_in(call, ringing["code"])


def test_a_refused_connection_is_retried_ever_later_until_the_verification_expires(
    process: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(
        configure,
        process,
        API_URL=UNREACHABLE_URL,
        LIMITS={"phone": ["1/d"], "ip": []},
        DAILY_BUDGET=Decimal(100),
    )
    clock = datetime(2026, 9, 1, 12, tzinfo=dt_timezone.utc)
    with freeze_time(clock):
        call = start()
    waits = []
    while True:
        with freeze_time(clock):
            wait = placing.place(call.pk)
        if wait is None:
            break
        assert fresh(call).state == "queued"
        waits.append(wait)
        clock += timedelta(seconds=wait)
        assert len(waits) < 50
    call = fresh(call)
    assert (call.state, call.error_code) == ("refused", "unreachable")
    assert waits[0] < 5
    assert waits == sorted(waits)
    assert max(waits) <= 60
    assert 200 < sum(waits) <= 300
    # The phone certainly did not ring: the reserved money is given back.
    assert limits.spent(call.created_at) == 0


@pytest.mark.django_db(transaction=True)
def test_several_workers_with_the_same_task_ring_once(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox)
    call = CallRequest.objects.create(
        verification=_verification(), phone="79990000001", channel="flashcall"
    )
    assert run_at_once([lambda: placing.place(call.pk)] * 6) == [None] * 6
    assert fresh(call).state == "placed"
    assert len(sandbox.calls()) == 1


def _verification(**values: Any) -> Verification:
    expires_at = timezone.now() + timedelta(seconds=300)
    return Verification.objects.create(
        phone="79990000001", purpose="login", expires_at=expires_at, **values
    )


@pytest.mark.parametrize("status", ["approved", "canceled", "max_attempts", "expired"])
def test_a_call_of_a_closed_verification_is_not_placed(
    sandbox: SandboxProcess, status: str
) -> None:
    verification = _verification(
        status=status, approved_at=timezone.now() if status == "approved" else None
    )
    call = CallRequest.objects.create(
        verification=verification, phone="79990000001", channel="flashcall"
    )
    assert place(call).error_code == "verification_closed"
    assert sandbox.calls() == []


def test_a_call_of_an_expired_verification_is_not_placed(sandbox: SandboxProcess) -> None:
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


def test_placing_a_deleted_call_does_nothing(sandbox: SandboxProcess) -> None:
    assert placing.place(123456) is None


def test_an_exception_during_the_request_leaves_the_call_unknown(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is stopped or a bug raises: nobody knows whether the phone rang."""

    def exit_worker(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    monkeypatch.setattr("django_voicepassword.client.Client.flash_call", exit_worker)
    call = start()
    with pytest.raises(SystemExit):
        placing.place(call.pk)
    assert (fresh(call).state, fresh(call).error_code) == ("unknown", "interrupted")


def test_a_setting_that_the_protocol_refuses_refuses_the_call(
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
    # A code as a word of its own: ids and keys of rows may contain any four digits. The number that
    # calls ends with the code.
    calls = sandbox.calls()
    callers = {call["from"] for call in calls}
    assert "" not in callers
    secrets = Secrets({sandbox.key, "7999000", *callers}, {call["code"] for call in calls})
    for record in caplog.records:
        if record.name.startswith("urllib3"):
            # It logs only which connection was opened.
            continue
        sms = f"{record.getMessage()} {record.exc_text or ''}"
        assert secrets.find(sms) == []


def test_a_call_is_refused_and_given_back_while_the_broker_is_down(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, LIMITS={"phone": ["1/d"], "ip": []})
    call = start()

    def fail(*args: Any) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(broker, "publish", fail)
    with pytest.raises(Unavailable):
        dispatch.enqueue(call.pk)
    call = fresh(call)
    assert (call.state, call.error_code) == ("refused", "broker_unavailable")
    assert call.verification is not None
    assert call.verification.sends == 0
    start()


@pytest.mark.django_db(transaction=True)
def test_inline_dispatch_waits_and_reports_an_unreachable_provider(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox)
    configure(
        DISPATCH="inline",
        TRANSPORT="http",
        API_KEY=sandbox.key,
        API_URL=sandbox.api_url,
        TIMEOUT=PATIENT,
    )
    assert start().state == "placed"
    configure(
        DISPATCH="inline",
        TRANSPORT="http",
        API_KEY=sandbox.key,
        API_URL=UNREACHABLE_URL,
        TIMEOUT=PATIENT,
    )
    with pytest.raises(Unavailable):
        start("79990000002")
    assert CallRequest.objects.get(phone="79990000002").error_code == "unreachable"


def test_the_price_in_the_reply_corrects_the_budget(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, DAILY_BUDGET=Decimal("100"))
    limits.note_price("flashcall", "79990000001", Decimal("5.00"), timezone.now())
    call = place(start())
    assert limits.spent(call.created_at) == Decimal("0.35")
    # What it cost is not what it may cost: the dearest price of 30 days stays the expected one.
    assert limits.expected_price("flashcall", call.phone, timezone.now()) == Decimal("5.00")


def poll_at(call: CallRequest, seconds: float) -> int:
    """Poll so many seconds after the call was placed; return how many calls were polled."""
    assert call.placed_at is not None
    return polling.poll_due(call.placed_at + timedelta(seconds=seconds))


@pytest.mark.processes
def test_an_unreported_state_is_polled_at_the_configured_delays(
    configure: Callable[..., None],
) -> None:
    # The first poll comes before the call has ended, also on a busy machine.
    with SandboxProcess(callback_delay=3) as sandbox:
        use(configure, sandbox, POLL_DELAYS=[15, 60])
        call = place(start("79990000103"))
        assert [poll_at(call, seconds) for seconds in (14, 16)] == [0, 1]
        _until_final(sandbox, "BUSY")
        assert [poll_at(call, seconds) for seconds in (59, 61, 3600)] == [0, 1, 0]
        requests = sandbox.ledger()["requests"]
    call = fresh(call)
    assert (call.state, call.service) == ("busy", "Flash Call")
    assert call.statuses.filter(source="poll").last().state == "busy"  # type: ignore[union-attr]
    assert len([request for request in requests if request["address"].endswith("get/")]) == 2


def _until_final(sandbox: SandboxProcess, state: str) -> None:
    until(lambda: sandbox.calls()[-1]["state"] == state, what=f"the end as {state}")


def test_a_call_with_a_final_state_is_not_polled(sandbox: SandboxProcess) -> None:
    call = place(start())
    recording.record(call.pk, parse_report({"state": "NO ANSWER"}), "callback")
    assert polling.poll_due(timezone.now() + timedelta(days=1)) == 0


def test_a_call_without_a_report_ends_as_unknown_and_a_late_report_still_moves_it(
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


def test_an_id_unknown_to_the_provider_is_polled_at_every_delay(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    use(configure, sandbox, POLL_DELAYS=[15, 60, 300])
    call = place(start())
    CallRequest.objects.filter(pk=call.pk).update(provider_id="gone")
    for seconds in (16, 61):
        assert poll_at(call, seconds) == 1
        assert (fresh(call).state, fresh(call).error_code) == ("placed", "")
    assert poll_at(call, 301) == 1
    assert (fresh(call).state, fresh(call).error_code) == ("unknown", "ID_Not_Found")
    assert poll_at(call, 3600) == 0


def test_a_provider_that_is_slow_to_list_a_call_is_asked_again(sandbox: SandboxProcess) -> None:
    call = place(start("79990000103"))
    _until_final(sandbox, "BUSY")
    CallRequest.objects.filter(pk=call.pk).update(provider_id="gone")
    assert poll_at(call, 16) == 1
    CallRequest.objects.filter(pk=call.pk).update(provider_id=call.provider_id)
    assert poll_at(call, 61) == 1
    assert (fresh(call).state, fresh(call).error_code) == ("busy", "")


@pytest.mark.parametrize("words", [["BUSY"], ["Дозвон", "BUSY"]])
@pytest.mark.parametrize("source", ["callback", "poll"])
@pytest.mark.parametrize("names_its_call", [True, False])
def test_a_settled_call_keeps_no_error_of_its_polls(
    sandbox: SandboxProcess,
    configure: Callable[..., None],
    words: list[str],
    source: str,
    names_its_call: bool,
) -> None:
    use(configure, sandbox, POLL_DELAYS=[15])
    call = place(start())
    CallRequest.objects.filter(pk=call.pk).update(provider_id="gone")
    poll_at(call, 16)
    assert fresh(call).error_code == "ID_Not_Found"
    names = {"id": "gone", "number": call.phone} if names_its_call else {}
    for word in words:
        recording.record(call.pk, parse_report({"state": word, **names}), source)
    call = fresh(call)
    assert (call.state, call.error_code) == ("busy", "")
    assert call.finished_at is not None


def test_a_refused_account_stops_polling_with_one_alarm(
    sandbox: SandboxProcess, configure: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    wrong_key = {**sandbox.settings, "API_KEY": "another-key", "TIMEOUT": PATIENT}
    calls = [place(start(f"7999000000{digit}")) for digit in range(3)]
    configure(**wrong_key)
    caplog.clear()
    assert poll_at(calls[-1], 20) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "authorisation_failed" in caplog.text
    # The next runs ask nothing and log nothing, and no call is given up.
    assert [poll_at(calls[-1], seconds) for seconds in range(100, 2500, 100)] == [0] * 24
    assert len(caplog.records) == 1
    assert {fresh(call).state for call in calls} == {"placed"}
    configure(**sandbox.settings)
    statistics.read_balance()
    assert poll_at(calls[-1], 5000) == 3
    # The provider refuses again: a second alarm.
    other = place(start("79990000007"))
    configure(**wrong_key)
    assert poll_at(other, 20) == 1
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 2


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


def test_a_call_claimed_seconds_ago_is_not_given_up(sandbox: SandboxProcess) -> None:
    call = start()
    call.claim("", timezone.now() - timedelta(seconds=20))
    assert recovery.lose_abandoned() == []


def test_a_call_whose_task_was_lost_is_requeued(sandbox: SandboxProcess) -> None:
    call, young = start("79990000001"), start("79990000002")
    CallRequest.objects.filter(pk=call.pk).update(created_at=timezone.now() - timedelta(minutes=3))
    assert recovery.stuck_in_queue() == [call.pk]
    assert fresh(young).state == "queued"
