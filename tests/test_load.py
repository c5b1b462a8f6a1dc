"""The load of ``benchmarks.logins``, a small one: whole logins through real processes, after which
every book agrees.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.program("redis-server", "initdb", "postgres", "pg_ctl", "pg_isready")


def test_logins_under_load_are_neither_lost_nor_doubled() -> None:
    words = ["--web=2", "--workers=2", "--clients=6", "--warm-up=4", "--seconds=4"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.logins", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none doubled, every book agrees" in done.stdout
