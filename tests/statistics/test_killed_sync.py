"""A sync that is killed in the middle of a day is completed by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.processes, pytest.mark.any_version]

ROWS = 6_000
PROGRAM = """
import datetime, sys, django
from django.conf import settings
django.setup()
from django.core.management import call_command
from django.db import connection
from django_voicepassword import statistics
from django_voicepassword.models import CallRequest, CallStatus, DailyStatistics
from django_voicepassword.statistics import sync

file, address, chunk, last = sys.argv[1:]
connection.settings_dict["NAME"] = file
settings.VOICEPASSWORD = {"TRANSPORT": "http", "API_KEY": "sandbox-key", "API_URL": address}
sync.CHUNK = int(chunk)
call_command("migrate", verbosity=0)

def progress(rows):
    print(rows, flush=True)
    if rows >= int(last):
        # To be killed here, however fast the machine is.
        sys.stdin.read()

report = statistics.sync_day(datetime.date(2026, 3, 10), progress=progress)
calls, statuses = CallRequest.objects.count(), CallStatus.objects.count()
day = report.statistics
print("end", report.written, calls, statuses, day.rows, day.total_price)
"""


def _start_sync(
    file: Path, address: str, chunk: int, last: int = 10 * ROWS
) -> subprocess.Popen[str]:
    """``last``: the rows after which it waits for its end."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file), address, str(chunk), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": ""},
    )


def test_a_killed_sync_is_completed_by_the_next_one(tmp_path: Path) -> None:
    with SandboxProcess() as sandbox:
        sandbox.generate("10.03.2026", ROWS)
        file = tmp_path / "killed.sqlite3"
        with _start_sync(file, sandbox.api_url, 200, last=2000) as first:
            assert first.stdout is not None
            while int(first.stdout.readline()) < 2000:
                pass
            first.kill()
        with _start_sync(file, sandbox.api_url, 5000) as second:
            output, _ = second.communicate(timeout=120)
    word, written, calls, statuses, rows, price = output.splitlines()[-1].split()
    assert word == "end"
    # The second sync found the rows of the first one and wrote none of them twice.
    assert 0 < int(written) <= ROWS - 2000
    assert (int(calls), int(statuses), int(rows), price) == (ROWS, ROWS, ROWS, "2100.0000")
