"""The clock of web and workers steps back an hour under them; those of the provider and of the
broker do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.servers import Redis
from tests.faults.stage import Stage
from tests.faults.until import until

pytestmark = pytest.mark.program("redis-server", "faketime")


class SteppingStage(Stage):
    """Web and workers have a clock of their own (libfaketime); sleeping and waiting are as ever."""

    def __init__(self, var: Path, *given: Any, **keys: Any) -> None:
        super().__init__(var, *given, **keys)
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self._offset = var / "offset"
        self._clock = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set_back("+0")

    def set_back(self, by: str) -> None:
        """From now on the clock is off ``by`` so much: ``"-3600"``, seconds."""
        beside = self._offset.with_suffix(".new")
        beside.write_text(by)
        beside.replace(self._offset)

    def start(self, name: str) -> None:
        with self._given({} if name == "sandbox" else self._clock):
            super().start(name)


@pytest.fixture
def stage(tmp_path: Path, django_db_blocker: Any) -> Iterator[SteppingStage]:
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    keys = {"RESEND_AFTER": 5, "LIMITS": {"ip": [], "phone": ["3/15s"]}}
    with (
        Redis() as broker,
        SteppingStage(tmp_path, broker.url(), database, django_db_blocker, **keys) as running,
    ):
        yield running


def test_people_get_in_nobody_waits_the_hour_and_nobody_is_rung_twice(stage: SteppingStage) -> None:
    stage.work()
    held, resent, spent = (stage.number() for _ in range(3))
    for count in (1, 2, 3):
        last = stage.begin(spent)
        until(lambda: stage.rings(spent) == [count], what="a call")  # noqa: B023
    first = stage.begin(resent)
    stage.sandbox.wait_for_call(resent)
    stage.sandbox.hold()
    asked = stage.begin(held)
    call = stage.sandbox.wait_for_call(held)
    stage.kill("worker")
    stage.sandbox.release()

    stage.set_back("-3600")
    told = parsedate_to_datetime(stage.ask("verifications/").headers["Date"])
    assert timedelta(minutes=59) < datetime.now(timezone.utc) - told < timedelta(minutes=61)
    # Whose code is there gets in.
    assert stage.log_in(last, stage.sandbox.calls(spent)[-1]["code"]).status_code == 200
    # The three sends count still, for fifteen seconds from now and no longer.
    refused = stage.ask("verifications/", phone=spent)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 15
    # A resend waits five seconds, not an hour and five.
    again = stage.ask(f"verifications/{first}/resend/", channel="sms")
    assert again.status_code == 429
    assert 0 < int(again.headers["Retry-After"]) <= 5
    stage.work()
    until(
        lambda: stage.ask(f"verifications/{first}/resend/", channel="sms").status_code == 200,
        what="the resend",
    )
    text = stage.sandbox.wait_for_call(resent, "sms")
    assert stage.log_in(first, text["code"]).status_code == 200
    # The worker that died is noticed in minutes; its call may have rung, and its code counts.
    stage.hand_in("poll_calls")
    stage.settle(held)
    assert stage.books.states(held) == ["unknown"]
    assert stage.log_in(asked, call["code"]).status_code == 200
    assert stage.rings(held, resent, spent) == [1, 2, 3]
    until(
        lambda: stage.ask("verifications/", phone=spent).status_code == 201, what="a fourth start"
    )
