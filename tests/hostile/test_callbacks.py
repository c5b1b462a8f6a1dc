"""Malformed callbacks by the thousand: no unhandled exception, no lost row, nothing approved.

``HOSTILE_CALLBACKS=100000`` sends that many, from 5000 on with every cut and every flipped bit;
``HOSTILE_SEED`` chooses others.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F, Sum

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import callback_tokens, codes
from tests.hostile.hostile_callbacks import MULTIPART, Callback, callbacks, encodings
from tests.hostile.site import Answer, Site

COUNT, SEED = (
    int(os.environ.get("HOSTILE_CALLBACKS", "2500")),
    int(os.environ.get("HOSTILE_SEED", "0")),
)
#: Callbacks for one verification, before the next one is started.
PER_VERIFICATION = 100
PHONE = "79161234567"
KEYS_OF_A_REPORT = {"id", "number", "state", "duration", "price", "date", "service"}


class Calls:
    """Starts verifications whose calls are placed; every second one has an SMS too."""

    def __init__(self) -> None:
        self.number = 0
        self.verification: Verification | None = None

    def start(self) -> list[str]:
        """Start a verification and return the callback addresses of its calls."""
        self.number += 1
        self.verification = verifications.start(PHONE)
        if self.number % 2:
            verifications.resend(self.verification.id, channel="sms")
        keys = self.verification.calls.order_by("id").values_list("pk", flat=True)
        return [f"/auth/callback/{callback_tokens.make_callback_token(key)}/" for key in keys]


@pytest.fixture
def calls(configure: Callable[..., None]) -> Calls:
    configure(LIMITS={"phone": [], "ip": []}, RESEND_AFTER=0, FRAUD_GUARD="off")
    return Calls()


def send(site: Site, address: str, callback: Callback) -> Answer:
    if callback.query:
        return site.ask("GET", f"{address}?{callback.query}", **callback.environ)
    return site.ask("POST", address, callback.body, callback.content_type, **callback.environ)


def must_be_accepted(callback: Callback) -> bool:
    """Return whether it is certainly a report, decided without code of the package."""
    has_own_length = "CONTENT_LENGTH" in callback.environ
    if callback.query or has_own_length or len(callback.body) > 65536:
        return False
    try:
        payload = json.loads(callback.body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    if not isinstance(payload, dict):
        return False
    if len({key.strip().casefold() for key in payload}) < len(payload):
        return False
    texts = [
        value[:64]
        for key, value in payload.items()
        if key in KEYS_OF_A_REPORT and isinstance(value, str)
    ]
    return any(text.isprintable() and text.strip() for text in texts)


def _refuse_constant(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(name)


def count_reports() -> int:
    """Return how many reports are kept, each with the copies that were only counted."""
    kept = CallStatus.objects.filter(source="callback")
    return int(kept.aggregate(total=Sum(F("repeats") + 1))["total"] or 0)


def test_no_callback_does_harm(site: Site, calls: Calls) -> None:
    statuses: Counter[int] = Counter()
    addresses: list[str] = []
    for number, callback in enumerate(callbacks(COUNT, SEED)):
        if number % PER_VERIFICATION == 0:
            assert count_reports() <= statuses[200], "a report is counted twice"
            addresses = calls.start()
        status = send(site, addresses[number % len(addresses)], callback).status
        statuses[status] += 1
        assert status in (200, 400), f"{status} for {callback}"
        assert status == 200 or not must_be_accepted(callback), f"refused: {callback}"
    print(f"\n{COUNT} callbacks, seed {SEED}: {dict(statuses)}")
    assert statuses[200] > COUNT // 5
    assert statuses[400] > COUNT // 5
    assert_rows_are_valid(statuses[200])


def assert_rows_are_few(rows: Counter[int], accepted: int) -> None:
    """Assert that no call has too many reports, and that none was lost where there was room."""
    assert max(rows.values()) <= CallStatus.MOST_KEPT
    full = [call for call, kept in rows.items() if kept == CallStatus.MOST_KEPT]
    assert full or count_reports() == accepted, "a report is lost"


def assert_rows_are_valid(accepted: int) -> None:
    """Assert that every row can be read and holds valid values."""
    expected = -(-COUNT // PER_VERIFICATION)
    assert (
        Verification.objects.filter(status="pending", attempts=0, approved_at=None).count()
        == expected
    )
    assert CallRequest.objects.count() == expected + -(-expected // 2)
    statuses = CallStatus.objects.filter(source="callback").select_related("call")
    history: dict[int, set[str]] = {}
    rows: Counter[int] = Counter()
    for status in statuses.iterator(chunk_size=2000):
        rows[status.call_id] += 1
        assert status.state in {*CallRequest.State.values, CallStatus.OTHER}
        assert isinstance(status.payload, dict)
        stored = f"{status.raw_state} {json.dumps(status.payload, ensure_ascii=False)}"
        assert PHONE not in stored
        history.setdefault(status.call_id, set()).add(status.state)
    assert_rows_are_few(rows, accepted)
    for call in CallRequest.objects.all():
        assert call.state == "placed" or call.state in history[call.pk]
        assert call.state in CallRequest.State.values
        assert call.price is None or 0 <= call.price < 10**8
        assert call.is_final == (call.finished_at is not None)


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "image/png", "x", ""])
def test_a_callback_is_accepted_whatever_its_accept_header(
    site: Site, calls: Calls, accept: str
) -> None:
    address = calls.start()[0]
    for kind, body in encodings({"state": "BUSY"}).items():
        assert site.ask("POST", address, body, kind, HTTP_ACCEPT=accept).status == 200
    assert site.ask("GET", f"{address}?state=BUSY&format=xml", HTTP_ACCEPT=accept).status == 200
    assert count_reports() == 4


def test_the_code_of_the_call_is_not_stored_wherever_it_stands(site: Site, calls: Calls) -> None:
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
    for kind, body in encodings(report).items():
        assert site.ask("POST", address, body, kind).status == 200
    for status in CallStatus.objects.filter(source="callback"):
        assert code not in f"{status.raw_state} {status.payload}"


def test_multipart_of_many_lines_is_not_read(site: Site, calls: Calls) -> None:
    """With nested parts the parser of the standard library takes seconds for 64 KiB."""
    address = calls.start()[0]
    for lines, status in ((900, 200), (1000, 400), (60_000, 400)):
        body = encodings({"state": "BUSY", "note": "\n" * lines})[MULTIPART]
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
