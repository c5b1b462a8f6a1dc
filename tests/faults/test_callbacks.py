"""Callbacks before the answer, doubled, backwards, at once and a day late, over HTTP: the state is
right, the code counts.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from tests.faults.stage import Stage
from tests.faults.until import until

pytestmark = pytest.mark.program("redis-server")

#: Magic number of the sandbox -> the state that the call ends in, and what the callbacks told.
ODD = {
    "79990000401": ("no_answer", {"no_answer": 2}),
    "79990000403": ("no_answer", {"no_answer": 1}),
    "79990000405": ("no_answer", {"no_answer": 1}),
    # A call has one report that is in the document; the older one is made up.
    "79990000406": ("no_answer", {"no_answer": 1, "other": 1}),
    "79990000107": ("no_answer", {"no_answer": 1, "answered": 1}),
}


def told(stage: Stage, number: str) -> Counter[str]:
    """State -> how often a callback told it."""
    return Counter(
        status.state for status in stage.books.statuses(number) if status.source == "callback"
    )


def test_doubled_early_and_out_of_order(stage: Stage) -> None:
    stage.work(CALLBACK_BASE_URL=stage.web_url)
    begun = {number: stage.begin(number) for number in ODD}
    for number, (state, reports) in ODD.items():
        until(lambda: told(stage, number) == reports, what=f"every report of {number}")  # noqa: B023
        until(lambda: stage.books.calls(number)[-1].provider_id, what="the answer")  # noqa: B023
        assert stage.books.states(number)[-1] == state
    assert stage.rings(*ODD) == [1] * len(ODD)
    for number, key in begun.items():
        assert stage.books.verification(key).status == "pending"
        assert stage.log_in(key, stage.sandbox.calls(number)[0]["code"]).status_code == 200


def test_an_sms_backwards(stage: Stage) -> None:
    """DELIVERED, SEND, QUEUED."""
    stage.work(CALLBACK_BASE_URL=stage.web_url)
    number = "79990000406"
    key = stage.begin(number)
    until(lambda: stage.books.states(number)[-1] == "no_answer", what="the end of the call")
    assert stage.ask(f"verifications/{key}/resend/", channel="sms").status_code == 200
    until(lambda: told(stage, number)["sms_queued"], what="the last report, which is the first")
    assert stage.books.states(number)[-1] == "delivered"
    assert told(stage, number) == {"delivered": 1, "sms_sent": 1, "sms_queued": 1}
    text = stage.sandbox.wait_for_call(number, "sms")
    assert stage.log_in(key, text["code"]).status_code == 200


def test_before_the_answer_that_is_lost(stage: Stage) -> None:
    """The report comes while the provider is asked, and the worker is killed before it is answered."""
    stage.sandbox.hold()
    stage.work(CALLBACK_BASE_URL=stage.web_url)
    number = stage.number()
    key = stage.begin(number)
    until(lambda: stage.books.states(number) == ["no_answer"], what="the report")
    stage.lose("worker")
    stage.sandbox.release()
    stage.work("second", CALLBACK_BASE_URL=stage.web_url)
    stage.settle(number)
    until(lambda: stage.waiting() == (0, 0), what="the end of every task")
    (call,) = stage.books.calls(number)
    (rang,) = stage.sandbox.calls(number)
    # The report told the id that the answer would have told.
    assert (call.state, call.provider_id) == ("no_answer", rang["id"])
    assert stage.log_in(key, rang["code"]).status_code == 200


def test_many_at_once(stage: Stage) -> None:
    """Every report is taken, one of them is first, and it stays."""
    stage.work(CALLBACK_BASE_URL=stage.web_url)
    number = "79990000402"
    key = stage.begin(number)
    call = stage.sandbox.wait_for_call(number, timeout=40)
    until(lambda: stage.books.states(number) == ["placed"], what="the answer")
    words = ["BUSY", "DIALING", "ANSWERED", "NO ANSWER", "TELEPORTED"] * 4

    def report(word: str) -> int:
        body = {"id": call["id"], "number": number, "state": word}
        return requests.post(call["callback_url"], json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(report, words)) == {200}
    finals = [
        status.state
        for status in stage.books.statuses(number)
        if status.state in ("busy", "answered", "no_answer")
    ]
    assert sum(told(stage, number).values()) == 20
    assert stage.books.states(number)[0] in finals
    assert len(finals) == 12
    assert stage.log_in(key, call["code"]).status_code == 200


def test_a_day_late(stage: Stage) -> None:
    """The call was given up and its verification is over: the report corrects the one and opens
    nothing of the other.
    """
    stage.work(CALLBACK_BASE_URL=stage.web_url, POLL_DELAYS=[1])
    number = "79990000106"
    key = stage.begin(number)
    call = stage.sandbox.wait_for_call(number, timeout=40)
    until(lambda: told(stage, number) == {"other": 1}, what="the report that nobody understands")
    stage.books.age(timedelta(days=1), verifications=True)
    stage.hand_in("poll_calls")
    until(lambda: stage.books.states(number) == ["unknown"], what="giving up")
    report = requests.post(
        call["callback_url"], json={"id": call["id"], "state": "BUSY"}, timeout=60
    )
    assert (report.status_code, report.json()) == (200, {"result": "ok"})
    assert stage.books.states(number) == ["busy"]
    assert stage.books.verification(key).status == "expired"
    answer = stage.log_in(key, call["code"])
    assert (answer.status_code, answer.json()["code"]) == (410, "verification_expired")
