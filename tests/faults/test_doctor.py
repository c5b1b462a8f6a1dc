"""``voicepassword_doctor`` on a running site: what it says of workers that are processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.faulty_site import FaultySite
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server")
MANAGE = Path(__file__).parents[2] / "example_project" / "manage.py"


def examine(site: FaultySite, wait: int) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, str(MANAGE), "voicepassword_doctor", f"--wait={wait}"],
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_the_doctor_hears_a_worker_and_misses_one_that_is_killed(site: FaultySite) -> None:
    rung = [call["id"] for call in site.sandbox.calls()]
    site.start_worker("first")
    # Beat does not run.
    site.enqueue("poll_calls")
    until(lambda: site.messages() == (0, 0), what="the heartbeat")
    code, text = examine(site, wait=60)
    assert (code, "ОШИБКА" in text) == (0, False), text

    site.restart("first", VOICEPASSWORD=site.environment["VOICEPASSWORD"], SECRET_KEY="another-key")
    code, text = examine(site, wait=60)
    assert (code, "SECRET_KEY" in text) == (1, True), text

    site.kill_worker("first")
    code, text = examine(site, wait=1)
    assert (code, "--queues celery" in text) == (1, True), text
    assert [call["id"] for call in site.sandbox.calls()] == rung
