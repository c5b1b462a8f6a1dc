"""What a real tracker takes with it, as it comes and as docs/security.md advises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.secrets.faults import GUESS, KEY, PHONE
from tests.secrets.traces import Known

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent.parent


def sent(setup: str) -> tuple[Known, list[dict[str, Any]]]:
    """The secrets, and the events that Sentry would have sent of five faults."""
    command = [sys.executable, "-m", "tests.secrets.sentry_program", setup]
    environment = {**os.environ, "DATABASE_URL": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    faults = [event for event in told["events"] if "exception" in event]
    assert len(faults) == 5
    # In its quotes: an event has lines of source, with figures of all kinds.
    return Known({KEY, GUESS, f"'{told['code']}'", f'"{told["code"]}'}, phones={PHONE[1:]}), told[
        "events"
    ]


@pytest.mark.parametrize("setup", ["without", "hiding"])
def test_as_it_is_advised(setup: str) -> None:
    known, events = sent(setup)
    assert [
        found for event in events for found in known.find(json.dumps(event, ensure_ascii=False))
    ] == []


def test_as_it_comes_it_tells_what_was_posted_and_nothing_else() -> None:
    """No frame: neither ours, nor the database's, nor the library's that asks the provider."""
    known, events = sent("default")
    assert any(known.find(json.dumps(event["request"])) for event in events if "request" in event)
    for event in events:
        event.get("request", {}).pop("data", None)
        assert known.find(json.dumps(event, ensure_ascii=False)) == []
