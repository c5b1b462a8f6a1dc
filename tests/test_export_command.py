"""``voicepassword_export`` writes the filtered calls, and never leaves a partial file."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from django_voicepassword.history import export
from tests.api.staff import NOON, PHONE, make, verified

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent


def run(*arguments: str, **streams: Any) -> str:
    out = io.StringIO()
    call_command("voicepassword_export", *arguments, stdout=out, **streams)
    return out.getvalue()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", ["calls.csv", "Звонки.XLSX"])
def test_the_command_writes_the_filtered_calls_readable_by_the_owner_alone(
    tmp_path: Path, name: str
) -> None:
    verified(state="busy", channel="voice")
    make(state="busy", created_at=NOON + timedelta(days=1))
    make()
    file = tmp_path / name
    file.write_text("earlier export")
    output = run(
        str(file),
        "--state",
        "busy",
        "--channel=voice",
        "--from",
        "2026-03-10",
        "--to",
        "2026-03-10",
        "--q",
        "567",
    )
    assert output == f"{file}: 1 row\n"
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o077 == 0
    if file.suffix == ".csv":
        assert PHONE not in file.read_text("utf-8-sig")
        assert len(file.read_text("utf-8-sig").splitlines()) == 2
    else:
        assert openpyxl.load_workbook(file).active.max_row == 2


def test_progress_is_shown_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for _ in range(3):
        make()
    terminal = Terminal()
    run(str(tmp_path / "calls.csv"), stderr=terminal)
    assert terminal.getvalue() == "\rrows: 2 of 3\rrows: 3 of 3\n"
    silent = io.StringIO()
    run(str(tmp_path / "calls.csv"), stderr=silent)
    assert silent.getvalue() == ""


def test_an_export_of_whole_numbers_is_logged_in_the_audit_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make()
    caplog.set_level("INFO", "django_voicepassword.audit")
    run(str(tmp_path / "calls.csv"))
    assert caplog.messages == []
    run(str(tmp_path / "calls.csv"), "--whole-phones")
    assert f"'+{PHONE}" in (tmp_path / "calls.csv").read_text("utf-8-sig")
    assert caplog.messages == ["user None saw 1 whole numbers: command voicepassword_export as csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calls.txt"], "must end in"),
        (["calls"], "must end in"),
        (["calls.csv", "--state", "asleep"], "--state: One of"),
        (["calls.csv", "--from", "10.03.2026"], "--from: A date"),
        (["no-such-folder/calls.csv"], "No such file"),
    ],
)
def test_a_command_with_invalid_arguments_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        run(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_earlier_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    file = tmp_path / "calls.csv"
    file.write_text("earlier export")

    def broken(*args: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("django_voicepassword.history.filters.after_cursor", broken)
    monkeypatch.setattr(export, "CHUNK", 1)
    with pytest.raises(RuntimeError):
        run(str(file))
    assert (list(tmp_path.iterdir()), file.read_text()) == ([file], "earlier export")


PROGRAM = """
import sys, time
import django
from django.db import connection
django.setup()
from django.core.management import call_command
connection.settings_dict["NAME"] = ":memory:"
call_command("migrate", verbosity=0)
from django_voicepassword.history import export
from django_voicepassword.models import CallRequest
CallRequest.objects.bulk_create(
    CallRequest(phone="79991234567", channel="voice", state="refused") for _ in range(10)
)
export.CHUNK = 5

def block(*args):
    print("ready", flush=True)
    time.sleep(60)

# Called after the first chunk.
export.filters.after_cursor = block
call_command("voicepassword_export", sys.argv[1])
"""


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (signal.SIGTERM, "csv"),
        (signal.SIGTERM, "xlsx"),
        (signal.SIGINT, "csv"),
        (signal.SIGKILL, "xlsx"),
    ],
)
@pytest.mark.processes
def test_a_killed_export_leaves_no_partial_file(
    tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    file = tmp_path / f"calls.{kind}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": ""}
    command = [sys.executable, "-c", PROGRAM, str(file)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        assert process.wait(20) != 0
    assert not file.exists()
    if number != signal.SIGKILL:
        # SIGKILL cannot be handled: a temporary file remains, under another name.
        assert list(tmp_path.iterdir()) == []
