"""``benchmarks.logins`` with a small load: no login is lost or doubled, and all records agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.program("redis-server", "initdb", "postgres", "pg_ctl", "pg_isready"),
    pytest.mark.long,
]


def test_logins_under_load_are_neither_lost_nor_doubled() -> None:
    options = ["--web=2", "--workers=2", "--clients=6", "--warm-up=2", "--seconds=3"]
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.logins", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "none lost, none doubled, every book agrees" in process.stdout
