"""What Sentry sends with its defaults, and with the setups that docs/security.md recommends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.secrets.faults import GUESS, KEY, PHONE
from tests.secrets.secret_search import Secrets

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent.parent


def run_with_sentry(setup: str) -> tuple[Secrets, list[dict[str, Any]]]:
    """Return the secrets, and the events that Sentry would send about five errors."""
    command = [sys.executable, "-m", "tests.secrets.sentry_program", setup]
    environment = {**os.environ, "DATABASE_URL": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    code, events = output["code"], output["events"]
    assert len([event for event in events if "exception" in event]) == 5
    # The code with both of its quotes: events contain lines of source, with figures of all kinds,
    # and their moments and random ids begin with any digits.
    quoted = {f"'{code}'", f'"{code}"', f'"{code}\\"'}
    secrets = Secrets({KEY, GUESS, *quoted}, phones={PHONE[1:]})
    return secrets, events


@pytest.mark.parametrize("setup", ["without", "hiding"])
def test_with_a_recommended_setup_no_event_contains_a_secret(setup: str) -> None:
    secrets, events = run_with_sentry(setup)
    for event in events:
        assert secrets.find(json.dumps(event, ensure_ascii=False)) == []


def test_by_default_only_the_posted_data_contains_secrets() -> None:
    """No stack frame does, neither of the app nor of the database driver nor of requests."""
    secrets, events = run_with_sentry("default")
    assert any(secrets.find(json.dumps(event["request"])) for event in events if "request" in event)
    for event in events:
        event.get("request", {}).pop("data", None)
        assert secrets.find(json.dumps(event, ensure_ascii=False)) == []
