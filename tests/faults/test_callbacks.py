"""Callbacks before the answer, doubled, backwards, at once and a day late, over HTTP.

The call ends in the right state, and its code works.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from tests.faults.faulty_site import FaultySite
from tests.waiting import until

pytestmark = pytest.mark.program("redis-server")

#: Magic number of the sandbox -> final state of the call, and state -> number of callbacks.
UNUSUAL = {
    "79990000401": ("no_answer", {"no_answer": 2}),
    "79990000403": ("no_answer", {"no_answer": 1}),
    "79990000405": ("no_answer", {"no_answer": 1}),
    # The second report of this call is not in the provider's document: its state is unknown.
    "79990000406": ("no_answer", {"no_answer": 1, "other": 1}),
    "79990000107": ("no_answer", {"no_answer": 1, "answered": 1}),
}


def reported_states(site: FaultySite, number: str) -> Counter[str]:
    """Return state -> how many callbacks reported it, copies included."""
    reports: Counter[str] = Counter()
    for status in site.database.statuses(number):
        if status.source == "callback":
            reports[status.state] += 1 + status.repeats
    return reports


def wait_for_reports(site: FaultySite, number: str, reports: dict[str, int]) -> None:
    """Wait for these callbacks, and for the answer to the request."""
    until(lambda: reported_states(site, number) == reports, what=f"every report of {number}")
    until(lambda: site.database.calls(number)[-1].provider_id, what="the answer")


def test_callbacks_doubled_early_and_out_of_order_leave_the_final_state(site: FaultySite) -> None:
    site.start_worker(CALLBACK_BASE_URL=site.web_url)
    verifications = {number: site.start_verification(number) for number in UNUSUAL}
    for number, (state, reports) in UNUSUAL.items():
        wait_for_reports(site, number, reports)
        assert site.database.states(number)[-1] == state
    assert site.rings(*UNUSUAL) == [1] * len(UNUSUAL)
    for number, key in verifications.items():
        assert site.database.verification(key).status == "pending"
        assert site.log_in(key, site.sandbox.calls(number)[0]["code"]).status_code == 200


def test_reports_of_an_sms_backwards_leave_it_delivered(site: FaultySite) -> None:
    """The sandbox reports DELIVERED, SEND, QUEUED."""
    site.start_worker(CALLBACK_BASE_URL=site.web_url)
    number = "79990000406"
    key = site.start_verification(number)
    until(lambda: site.database.states(number)[-1] == "no_answer", what="the end of the call")
    assert site.post(f"verifications/{key}/resend/", channel="sms").status_code == 200
    until(lambda: reported_states(site, number)["sms_queued"], what="the report that comes last")
    assert site.database.states(number)[-1] == "delivered"
    assert reported_states(site, number) == {"delivered": 1, "sms_sent": 1, "sms_queued": 1}
    sms = site.sandbox.wait_for_call(number, "sms")
    assert site.log_in(key, sms["code"]).status_code == 200


def test_a_callback_before_a_lost_answer_gives_the_state_and_the_id(site: FaultySite) -> None:
    """The callback comes during the request, and the worker is killed before the answer."""
    site.sandbox.hold()
    site.start_worker(CALLBACK_BASE_URL=site.web_url)
    number = site.new_number()
    key = site.start_verification(number)
    until(lambda: site.database.states(number) == ["no_answer"], what="the report")
    site.kill_worker("worker")
    site.sandbox.release()
    site.start_worker("second", CALLBACK_BASE_URL=site.web_url)
    site.settle(number)
    until(lambda: site.messages() == (0, 0), what="the end of every task")
    (call,) = site.database.calls(number)
    (sandbox_call,) = site.sandbox.calls(number)
    # The callback has the id that the answer would have had.
    assert (call.state, call.provider_id) == ("no_answer", sandbox_call["id"])
    assert site.log_in(key, sandbox_call["code"]).status_code == 200


def test_of_many_callbacks_at_once_each_is_stored_and_the_first_final_state_stays(
    site: FaultySite,
) -> None:
    site.start_worker(CALLBACK_BASE_URL=site.web_url)
    number = "79990000402"
    key = site.start_verification(number)
    call = site.sandbox.wait_for_call(number, timeout=40)
    until(lambda: site.database.states(number) == ["placed"], what="the answer")
    words = ["BUSY", "DIALING", "ANSWERED", "NO ANSWER", "TELEPORTED"] * 4

    def report(word: str) -> int:
        body = {"id": call["id"], "number": number, "state": word}
        return requests.post(call["callback_url"], json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(report, words)) == {200}
    reports = reported_states(site, number)
    finals = {state: reports[state] for state in ("busy", "answered", "no_answer")}
    assert reports.total() == 20
    assert site.database.states(number)[0] in finals
    assert finals == {"busy": 4, "answered": 4, "no_answer": 4}
    assert site.log_in(key, call["code"]).status_code == 200


def test_a_callback_a_day_late_corrects_the_call_and_reopens_no_verification(
    site: FaultySite,
) -> None:
    site.start_worker(CALLBACK_BASE_URL=site.web_url, POLL_DELAYS=[1])
    number = "79990000106"
    key = site.start_verification(number)
    call = site.sandbox.wait_for_call(number, timeout=40)
    until(lambda: reported_states(site, number) == {"other": 1}, what="the unknown report")
    site.database.age(timedelta(days=1), verifications=True)
    site.enqueue("poll_calls")
    until(lambda: site.database.states(number) == ["unknown"], what="giving up")
    report = requests.post(
        call["callback_url"], json={"id": call["id"], "state": "BUSY"}, timeout=60
    )
    assert (report.status_code, report.json()) == (200, {"result": "ok"})
    assert site.database.states(number) == ["busy"]
    assert site.database.verification(key).status == "expired"
    answer = site.log_in(key, call["code"])
    assert (answer.status_code, answer.json()["code"]) == (410, "verification_expired")
