"""The clocks of web and workers step back an hour; those of the provider and the broker do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.faulty_site import FaultySite
from tests.faults.servers import Redis
from tests.waiting import until

pytestmark = [pytest.mark.program("redis-server", "faketime"), pytest.mark.long]


class SiteWithOwnClock(FaultySite):
    """Web and workers have a clock of their own (libfaketime); sleeps and timeouts stay right."""

    def __init__(self, var: Path, *arguments: Any, **keys: Any) -> None:
        super().__init__(var, *arguments, **keys)
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
        """Set the offset of the clock in seconds, such as ``"-3600"``."""
        new = self._offset.with_suffix(".new")
        new.write_text(by)
        # In one step: the processes may read the file at any time.
        new.replace(self._offset)

    def start(self, name: str) -> None:
        with self._with_environment({} if name == "sandbox" else self._clock):
            super().start(name)


@pytest.fixture
def site(tmp_path: Path, django_db_blocker: Any) -> Iterator[SiteWithOwnClock]:
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    keys = {"RESEND_AFTER": 5, "LIMITS": {"ip": [], "phone": ["3/15s"]}}
    with (
        Redis() as broker,
        SiteWithOwnClock(tmp_path, broker.url(), database, django_db_blocker, **keys) as running,
    ):
        yield running


def wait_for_rings(site: FaultySite, number: str, count: int) -> None:
    until(lambda: site.rings(number) == [count], what="a call")


def test_after_the_step_codes_work_limits_hold_and_nobody_waits_an_hour(
    site: SiteWithOwnClock,
) -> None:
    site.start_worker()
    in_request, resent, limited = (site.new_number() for _ in range(3))
    for count in (1, 2, 3):
        limited_key = site.start_verification(limited)
        wait_for_rings(site, limited, count)
    resent_key = site.start_verification(resent)
    site.sandbox.wait_for_call(resent)
    site.sandbox.hold()
    in_request_key = site.start_verification(in_request)
    call = site.sandbox.wait_for_call(in_request)
    site.kill("worker")
    site.sandbox.release()

    site.set_back("-3600")
    date = parsedate_to_datetime(site.post("verifications/").headers["Date"])
    assert timedelta(minutes=59) < datetime.now(timezone.utc) - date < timedelta(minutes=61)
    # A code from before the step logs in.
    code = site.sandbox.calls(limited)[-1]["code"]
    assert site.log_in(limited_key, code).status_code == 200
    # The three sends still count, for fifteen seconds from now and no longer.
    refused = site.post("verifications/", phone=limited)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 15
    # From the next poll on, which beat starts every 15 s, a resend waits five seconds, not an hour
    # and five.
    site.start_worker()
    site.enqueue("poll_calls")

    def resend() -> Any:
        return site.post(f"verifications/{resent_key}/resend/", channel="sms")

    until(lambda: 0 < int(resend().headers.get("Retry-After", 0)) <= 5, what="the poll")
    until(lambda: resend().status_code == 200, what="the resend")
    sms = site.sandbox.wait_for_call(resent, "sms")
    assert site.log_in(resent_key, sms["code"]).status_code == 200
    # The dead worker is noticed within minutes. Its call may have rung, so its code counts.
    site.enqueue("poll_calls")
    site.settle(in_request)
    assert site.database.states(in_request) == ["unknown"]
    assert site.log_in(in_request_key, call["code"]).status_code == 200
    assert site.rings(in_request, resent, limited) == [1, 2, 3]
    until(
        lambda: site.post("verifications/", phone=limited).status_code == 201,
        what="a fourth start",
    )
