"""The commands: their output and their error messages."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_voicepassword import tasks, verifications
from django_voicepassword.calls import broker
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics, Verification
from django_voicepassword.schedule import BEAT_SCHEDULE
from django_voicepassword.testing import Sent
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(f"voicepassword_{name}", *arguments, stdout=out)
    return out.getvalue()


def test_balance(sandbox: SandboxProcess, configure: Callable[..., None]) -> None:
    configure(TRANSPORT="http", API_KEY=sandbox.key, API_URL=sandbox.api_url)
    assert run("balance") == "1000.00 Rub\n"
    configure(TRANSPORT="http", API_KEY="wrong", API_URL=sandbox.api_url)
    with pytest.raises(CommandError, match="authorisation_failed"):
        run("balance")
    configure(TRANSPORT="http", API_KEY="wrong", API_URL="http://127.0.0.1:9/")
    with pytest.raises(CommandError, match="refused"):
        run("balance")


def test_call(outbox: list[Sent]) -> None:
    output = run("call", "8 (999) 000-00-01", "--channel", "voice", "--purpose", "support")
    assert output.startswith("+7 *** ***-**-01: voice placed\n")
    assert outbox[0].code not in output
    assert (outbox[0].channel, Verification.objects.get().purpose) == ("voice", "support")


@pytest.mark.parametrize(
    ("phone", "message"), [("12", "not a phone number"), ("+1 202 555 0123", "not called")]
)
def test_call_refuses_an_invalid_number(outbox: list[Sent], phone: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run("call", phone)
    assert outbox == []


def test_call_never_calls_a_premium_number(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(ALLOWED_PREFIXES=[])
    with pytest.raises(CommandError, match="not called"):
        run("call", "+1 900 234 5678")
    assert outbox == []


def test_call_obeys_the_limits(outbox: list[Sent], configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["1/h"]})
    run("call", "79990000001")
    with pytest.raises(CommandError, match="limit"):
        run("call", "79990000001")


def test_poll(outbox: list[Sent]) -> None:
    assert run("poll") == "asked for 0, given up as unknown: 0, handed in again: 0\n"
    call = verifications.start("79990000001").calls.get()
    CallRequest.objects.filter(pk=call.pk).update(
        state="placing", claimed_at=timezone.now() - timedelta(hours=1)
    )
    assert run("poll") == "asked for 0, given up as unknown: 1, handed in again: 0\n"


def stuck_call(number: str = "79990000001") -> CallRequest:
    """A queued call whose task was lost, or whose request died after the commit."""
    call = verifications.start(number).calls.get()
    CallRequest.objects.filter(pk=call.pk).update(
        state="queued",
        claimed_at=None,
        placed_at=None,
        created_at=timezone.now() - timedelta(minutes=3),
    )
    return call


def test_poll_places_a_stuck_call(outbox: list[Sent]) -> None:
    call = stuck_call()
    assert run("poll") == "asked for 0, given up as unknown: 0, handed in again: 1\n"
    call.refresh_from_db()
    assert (call.state, len(outbox)) == ("placed", 2)


def test_poll_requeues_a_stuck_call(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = stuck_call()
    configure(DISPATCH="celery")
    published = []
    monkeypatch.setattr(
        broker, "publish", lambda task, call_id: published.append((task.name, call_id))
    )
    assert run("poll").endswith("handed in again: 1\n")
    assert published == [("django_voicepassword.tasks.place_call", call.pk)]


def test_poll_reports_a_broker_that_is_down(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = stuck_call()
    configure(DISPATCH="celery")

    def down(*args: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(broker, "publish", down)
    with pytest.raises(CommandError, match="the broker does not take the call"):
        run("poll")
    call.refresh_from_db()
    assert call.state == "queued"


def test_poll_corrects_times_after_the_clock_stepped_back(outbox: list[Sent]) -> None:
    verification = verifications.start("79990000001")
    later = timezone.now() + timedelta(hours=1)
    Verification.objects.update(
        created_at=later, last_sent_at=later, expires_at=later + timedelta(minutes=5)
    )
    run("poll")
    verification.refresh_from_db()
    assert verification.expires_at < timezone.now() + timedelta(minutes=6)


@pytest.mark.processes
def test_the_sandbox_runs_as_a_command_without_a_database(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "django",
        "voicepassword_sandbox",
        "--settings=tests.settings",
        "--port=0",
        "--quiet",
    ]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("sandbox listening on http://127.0.0.1:")
        process.terminate()
        assert process.wait(10) == 0


def test_sync(sandbox: SandboxProcess, configure: Callable[..., None]) -> None:
    configure(TRANSPORT="http", API_KEY=sandbox.key, API_URL=sandbox.api_url)
    line = (
        r"\d{4}-\d\d-\d\d: 0 rows, 0 matched, 0 imported, 0 with differences, 0 missing, "
        r"0 unreadable; 0 written\n"
    )
    assert re.fullmatch(line * 2, run("sync"))
    assert re.fullmatch(line * 3, run("sync", "--days", "3"))
    assert run("sync", "--date", "2026-03-10").startswith("2026-03-10: 0 rows")
    for arguments in (["--date", "10.03.2026"], ["--days", "0"]):
        with pytest.raises(CommandError):
            run("sync", *arguments)
    configure(TRANSPORT="http", API_KEY="wrong", API_URL=sandbox.api_url)
    with pytest.raises(
        CommandError, match=r"2026-03-10: .*authorisation_failed; the earlier figures are kept"
    ):
        run("sync", "--date", "2026-03-10")


def test_purge(configure: Callable[..., None]) -> None:
    assert "history is kept" in run("purge")
    configure(RETENTION_DAYS=1)
    assert run("purge") == "0 rows deleted\n"


def test_the_tasks_do_what_the_commands_do(
    sandbox: SandboxProcess, configure: Callable[..., None]
) -> None:
    configure(TRANSPORT="http", API_KEY=sandbox.key, API_URL=sandbox.api_url)
    tasks.sync_daily()
    assert DailyStatistics.objects.count() == 2
    tasks.sync_daily("2026-03-10")
    assert DailyStatistics.objects.filter(date="2026-03-10").exists()
    tasks.check_balance()
    assert BalanceReading.objects.count() == 1
    tasks.purge()


def test_the_schedule_names_existing_tasks() -> None:
    names = {entry["task"] for entry in BEAT_SCHEDULE.values()}
    assert names == {
        f"django_voicepassword.tasks.{name}"
        for name in ("poll_calls", "sync_daily", "check_balance", "purge")
    }
    assert names <= set(current_app.tasks)


@pytest.mark.parametrize(
    "name", ["balance", "beat", "call", "export", "poll", "purge", "sandbox", "sync"]
)
def test_every_command_has_a_help_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(name, "--help")
    assert caught.value.code == 0
    assert len(capsys.readouterr().out) > 300
