"""A hundred thousand callbacks that nobody should send: no fault, no lost row, nothing approved.

``HOSTILE_CALLBACKS=100000`` sends all of them; ``HOSTILE_SEED`` chooses others.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import callback_tokens, codes
from tests.hostile.mutations import MULTIPART, Callback, callbacks, whole
from tests.hostile.site import Answer, Site

COUNT, SEED = (
    int(os.environ.get("HOSTILE_CALLBACKS", "5000")),
    int(os.environ.get("HOSTILE_SEED", "0")),
)
#: Callbacks for one verification, before the next one is started.
FOR_ONE = 100
PHONE = "79161234567"
WORDS_OF_A_REPORT = {"id", "number", "state", "duration", "price", "date", "service"}


class Calls:
    """Calls that were placed; every other verification has an SMS too."""

    def __init__(self) -> None:
        self.number = 0
        self.verification: Verification | None = None

    def start(self) -> list[str]:
        """The callback addresses of a new verification."""
        self.number += 1
        self.verification = verifications.start(PHONE)
        if self.number % 2:
            verifications.resend(self.verification.id, channel="sms")
        keys = self.verification.calls.order_by("id").values_list("pk", flat=True)
        return [f"/auth/callback/{callback_tokens.make_callback_token(key)}/" for key in keys]


@pytest.fixture
def calls(configure: Callable[..., None]) -> Calls:
    configure(LIMITS={"phone": [], "ip": []}, RESEND_AFTER=0)
    return Calls()


def send(site: Site, address: str, one: Callback) -> Answer:
    if one.query:
        return site.ask("GET", f"{address}?{one.query}", **one.environ)
    return site.ask("POST", address, one.body, one.content_type, **one.environ)


def must_be_taken(one: Callback) -> bool:
    """Is it a report beyond doubt, read without a line of ours?"""
    if one.query or "CONTENT_LENGTH" in one.environ or len(one.body) > 65536:
        return False
    try:
        payload = json.loads(one.body.decode("utf-8"), parse_constant=_none)
    except (ValueError, RecursionError):
        return False
    if not isinstance(payload, dict) or len({key.strip().casefold() for key in payload}) < len(
        payload
    ):
        return False
    told = [
        value
        for key, value in payload.items()
        if key in WORDS_OF_A_REPORT and isinstance(value, str)
    ]
    return any(value[:64].isprintable() and value[:64].strip() for value in told)


def _none(name: str) -> Any:
    raise ValueError(name)


def test_no_callback_does_harm(site: Site, calls: Calls) -> None:
    told: Counter[int] = Counter()
    addresses: list[str] = []
    for number, one in enumerate(callbacks(COUNT, SEED)):
        if number % FOR_ONE == 0:
            assert CallStatus.objects.filter(source="callback").count() == told[200], (
                "a report has not one row"
            )
            addresses = calls.start()
        answer = send(site, addresses[number % len(addresses)], one)
        told[answer.status] += 1
        assert answer.status in (200, 400), f"{answer.status} for {one}"
        assert answer.status == 200 or not must_be_taken(one), f"a report was refused: {one}"
    print(f"\n{COUNT} callbacks, seed {SEED}: {dict(told)}")
    assert told[200] > COUNT // 5
    assert told[400] > COUNT // 5
    check_the_rows(told[200])


def check_the_rows(taken: int) -> None:
    """Every row can be read, and says what it may say."""
    expected = -(-COUNT // FOR_ONE)
    assert (
        Verification.objects.filter(status="pending", attempts=0, approved_at=None).count()
        == expected
    )
    assert CallRequest.objects.count() == expected + -(-expected // 2)
    statuses = CallStatus.objects.filter(source="callback").select_related("call")
    history: dict[int, set[str]] = {}
    rows = 0
    for status in statuses.iterator(chunk_size=2000):
        rows += 1
        assert status.state in {*CallRequest.State.values, CallStatus.OTHER}
        assert isinstance(status.payload, dict)
        kept = f"{status.raw_state} {json.dumps(status.payload, ensure_ascii=False)}"
        assert PHONE not in kept
        history.setdefault(status.call_id, set()).add(status.state)
    assert rows == taken
    for call in CallRequest.objects.all():
        assert call.state == "placed" or call.state in history[call.pk]
        assert call.state in CallRequest.State.values
        assert call.price is None or 0 <= call.price < 10**8
        assert call.is_final == (call.finished_at is not None)


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "image/png", "x", ""])
def test_who_wants_no_json_is_heard_too(site: Site, calls: Calls, accept: str) -> None:
    address = calls.start()[0]
    for kind, body in whole({"state": "BUSY"}).items():
        assert site.ask("POST", address, body, kind, HTTP_ACCEPT=accept).status == 200
    assert site.ask("GET", f"{address}?state=BUSY&format=xml", HTTP_ACCEPT=accept).status == 200
    assert CallStatus.objects.filter(source="callback").count() == 4


def test_the_code_of_the_call_is_not_kept_wherever_it_is_told(site: Site, calls: Calls) -> None:
    address = calls.start()[0]
    assert calls.verification is not None
    code = codes.make(calls.verification.id)
    report = {
        "state": f"ANSWERED {code}",
        "service": code,
        "text": f"Ваш код: {code}",
        code: "1",
        "pin": code,
    }
    for kind, body in whole(report).items():
        assert site.ask("POST", address, body, kind).status == 200
    for status in CallStatus.objects.filter(source="callback"):
        assert code not in f"{status.raw_state} {status.payload}"


def test_multipart_of_many_lines_is_not_read(site: Site, calls: Calls) -> None:
    """Parts in parts take the parser of the standard library lines times depth: seconds for 64 KiB."""
    address = calls.start()[0]
    for lines, status in ((900, 200), (1000, 400), (60_000, 400)):
        body = whole({"state": "BUSY", "note": "\n" * lines})[MULTIPART]
        assert site.ask("POST", address, body, MULTIPART).status == status
    parts = (
        f"--b{depth}\r\nContent-Type: multipart/mixed; boundary=b{depth + 1}\r\n\r\n"
        for depth in range(333)
    )
    assert (
        site.ask(
            "POST", address, "".join(parts).encode(), "multipart/form-data; boundary=b0"
        ).status
        == 400
    )
