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
from django.apps import apps
from django.core.management import (
    CommandError,
    call_command,
    get_commands,
    load_command_class,
)
from django.db import OperationalError, connection
from django.utils import timezone, translation

from django_voicepassword import tasks, verifications
from django_voicepassword.calls import broker
from django_voicepassword.limits import circuit, purged
from django_voicepassword.models import (
    BalanceReading,
    CallRequest,
    DailyStatistics,
    LimitCounter,
    Verification,
)
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
    assert run("balance") == "1,000.00\N{NO-BREAK SPACE}₽\n"
    configure(TRANSPORT="http", API_KEY="wrong", API_URL=sandbox.api_url)
    with pytest.raises(CommandError, match="authorisation_failed"):
        run("balance")
    configure(TRANSPORT="http", API_KEY="wrong", API_URL="http://127.0.0.1:9/")
    with pytest.raises(CommandError, match="refused"):
        run("balance")


@pytest.mark.parametrize("transport", ["console", "memory"])
def test_a_transport_without_an_account_has_no_balance(
    configure: Callable[..., None], transport: str
) -> None:
    configure(TRANSPORT=transport)
    assert run("balance") == (
        f"There is no balance: TRANSPORT is “{transport}”, which has no account.\n"
    )
    tasks.check_balance()
    assert not BalanceReading.objects.exists()


def test_without_an_account_nobody_refuses_it(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    circuit.open_circuit("authorisation_failed")
    run("call", "79990000001")
    assert len(outbox) == 1


def test_call(outbox: list[Sent], configure: Callable[..., None]) -> None:
    # A code of four digits may be part of a date.
    configure(CODE_LENGTH=6)
    output = run("call", "8 (999) 000-00-01", "--channel", "voice", "--purpose", "support")
    assert output.startswith("+7 *** ***-**-01: voice call: placed\n")
    verification = Verification.objects.get()
    # Any digits may be part of a random id.
    assert outbox[0].code not in output.replace(str(verification.id), "")
    assert (outbox[0].channel, verification.purpose) == ("voice", "support")


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
    with pytest.raises(CommandError) as caught:
        run("call", "79990000001")
    assert re.fullmatch(
        r"The limit “phone” is used up \(calls to the number\)\. "
        r"It has room again in \d+ (minutes|hours?), at .*\d:\d\d.*\.",
        str(caught.value),
    )


def test_call_says_that_the_budget_is_spent(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(DAILY_BUDGET=0)
    with pytest.raises(CommandError, match=r"DAILY_BUDGET is spent.* in .*, at .*\d:\d\d"):
        run("call", "79990000001")


def test_a_database_that_fails_is_told_in_a_sentence() -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("no such table: django_voicepassword_callrequest 79990000001")

    with connection.execute_wrapper(fail), pytest.raises(CommandError, match="cannot be read") as e:
        run("purge")
    assert "79990000001" not in str(e.value)


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
        CommandError,
        match=r"2026-03-10: .*authorisation_failed.* earlier figures of 2026-03-10 are kept",
    ):
        run("sync", "--date", "2026-03-10")


def test_purge(configure: Callable[..., None]) -> None:
    assert "history is kept" in run("purge")
    configure(RETENTION_DAYS=1)
    assert run("purge") == "0 rows deleted\n"


def rows_of_each_table() -> dict[str, int]:
    models = apps.get_app_config("django_voicepassword").get_models()
    return {str(model._meta.verbose_name_plural): model.objects.count() for model in models}  # type: ignore[attr-defined]


def test_a_dry_run_of_purge_counts_what_a_purge_then_deletes(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    long_ago = timezone.now() - timedelta(days=400)
    for number in ("79990000001", "79990000002", "79990000003"):
        verifications.start(number)
    stays = Verification.objects.get(phone="79990000003")
    Verification.objects.update(created_at=long_ago, expires_at=long_ago + timedelta(minutes=5))
    CallRequest.objects.exclude(verification=stays).update(created_at=long_ago)
    for days in (400, 399, 1):
        read_at = timezone.now() - timedelta(days=days)
        BalanceReading.objects.create(balance=1, currency="Rub", read_at=read_at)
    LimitCounter.objects.filter(key__startswith="phone:").update(updated_at=long_ago)
    # A purge remembers in a counter what it deletes.
    purged.note(long_ago)
    configure(RETENTION_DAYS=30)
    before = rows_of_each_table()
    output = run("purge", "--dry-run")
    assert rows_of_each_table() == before
    run("purge")
    deleted = {name: before[name] - rows for name, rows in rows_of_each_table().items()}
    lines = [f"{name}: {rows}" for name, rows in deleted.items() if rows]
    assert len(lines) == 5
    assert sorted(output.splitlines()) == sorted(
        [*lines, "Nothing was changed: this was a dry run."]
    )


def test_a_dry_run_of_purge_counts_what_a_purge_then_masks(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    verifications.start("79990000001")
    long_ago = timezone.now() - timedelta(days=400)
    Verification.objects.update(created_at=long_ago, expires_at=long_ago + timedelta(minutes=5))
    CallRequest.objects.update(created_at=long_ago)
    configure(RETENTION_DAYS=30, RETENTION="mask")
    output = run("purge", "--dry-run")
    assert "call requests: 1\n" in output
    assert "verifications: 1\n" in output
    run("purge")
    assert run("purge", "--dry-run") == (
        "No row is old enough.\nNothing was changed: this was a dry run.\n"
    )


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


NAMES = sorted(name for name, app in get_commands().items() if app == "django_voicepassword")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_and_argument_has_a_help_text(name: str) -> None:
    command = load_command_class("django_voicepassword", name)
    parser = command.create_parser("manage.py", name)
    assert command.help.endswith(".")
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["balance"],
        ["call", "79990000001"],
        ["call", "12"],
        ["call", "12025550123"],
        ["call", "79990000001", "--channel=voice"],
        ["export", "calls.txt"],
        ["poll"],
        ["purge"],
        ["purge", "--dry-run"],
        ["sync"],
        ["sync", "--date=10.03.2026"],
        ["sync", "--days=0"],
    ],
)
def test_a_command_speaks_the_active_language_alone(
    outbox: list[Sent], configure: Callable[..., None], arguments: list[str]
) -> None:
    configure(LIMITS={"phone": ["1/h"]})
    with translation.override("ru"):
        if arguments[-1] == "--channel=voice":
            run("call", "79990000001")
        try:
            text = run(*arguments)
        except CommandError as error:
            text = str(error)
    names = r"[A-Z_]{4,}|--\w+|“\w+”|«\w+»|\.\w+"
    assert re.search("[а-я]", text)
    assert re.findall("[A-Za-z]+", re.sub(names, "", text)) == []
