"""How many SQL statements a request takes, with BEGIN and COMMIT, on the database of the run.

Each is a round trip to the database. The requests are those of a site in its second minute: the
guard has watched, and the day's budget is spread over its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.calls import broker, placing
from django_voicepassword.limits import guard
from django_voicepassword.models import CallRequest, LimitCounter, TrustedDevice, Verification
from django_voicepassword.security import callback_tokens
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import dispatch

pytestmark = pytest.mark.django_db(transaction=True)
JSON = "application/json"
PHONES = [f"7999000{number:04}" for number in range(1, 9)]


@pytest.fixture(autouse=True)
def _site(
    configure: Callable[..., None], outbox: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site with workers: a start leaves the call to the broker."""
    monkeypatch.setattr(dispatch, "leaves_to_workers", lambda: True)
    monkeypatch.setattr(broker, "publish", lambda *given, **options: None)
    configure(DISPATCH="celery")
    guard.watch(timezone.now())


def statements(request: Callable[[], Any], status: int) -> int:
    """Send a request, and return how many statements it took."""
    with CaptureQueriesContext(connection) as captured:
        answer = request()
    assert answer.status_code == status, answer.content
    verbs = [query["sql"].split()[0] for query in captured.captured_queries]
    assert verbs.count("BEGIN") == verbs.count("COMMIT") > 0, verbs
    return len(verbs)


def start(client: Client, phone: str) -> Any:
    return client.post("/api/verifications/", {"phone": phone}, JSON)


def check(client: Client, call: CallRequest, code: str) -> Any:
    return client.post(f"/api/verifications/{call.verification_id}/check/", {"code": code}, JSON)


def placed(client: Client, phone: str = PHONES[0]) -> CallRequest:
    """Start by the API, and place the call as a worker does."""
    id = start(client, phone).json()["id"]
    call = CallRequest.objects.get(verification_id=id)
    placing.place(call.pk)
    call.refresh_from_db()
    return call


def test_a_start_takes_eight() -> None:
    assert statements(lambda: start(Client(), PHONES[0]), 201) <= 7


def test_a_start_with_a_budget_takes_nine(configure: Callable[..., None]) -> None:
    configure(DISPATCH="celery", DAILY_BUDGET=Decimal(10_000))
    start(Client(), PHONES[0])
    assert statements(lambda: start(Client(), PHONES[1]), 201) <= 8


def test_a_right_check_takes_ten_and_gives_back_and_remembers(outbox: list[Sent]) -> None:
    call = placed(Client())
    assert "ip#" in call.counted
    assert statements(lambda: check(Client(), call, outbox[-1].code), 200) <= 10
    call.refresh_from_db()
    assert (call.counted, call.is_open) == ("phone", False)
    counters = LimitCounter.objects.filter(key__startswith="ip:")
    assert {counter.events for counter in counters} == {'{"20/h":[]}'}
    assert TrustedDevice.objects.get().phone == PHONES[0]


def test_a_right_check_on_a_known_device_takes_ten(outbox: list[Sent]) -> None:
    client = Client()
    check(client, placed(client), outbox[-1].code)
    call = placed(client)
    assert statements(lambda: check(client, call, outbox[-1].code), 200) <= 10
    assert call.lane == CallRequest.Lane.PROVEN
    assert TrustedDevice.objects.count() == 1


def test_a_wrong_check_takes_six(outbox: list[Sent]) -> None:
    call = placed(Client())
    wrong = f"{(int(outbox[-1].code) + 1) % 10_000:04}"
    assert statements(lambda: check(Client(), call, wrong), 400) <= 6
    assert Verification.objects.get().attempts == 1


def test_placing_takes_six() -> None:
    """To read, to claim, and four for the transaction that keeps the reply."""
    start(Client(), PHONES[0])
    call = CallRequest.objects.get()
    with CaptureQueriesContext(connection) as captured:
        placing.place(call.pk)
    call.refresh_from_db()
    assert (call.state, call.statuses.count()) == ("placed", 1)
    assert len(captured) <= 6


@pytest.fixture
def report() -> Callable[[], Any]:
    """Send a report of a placed call to its callback."""
    call = placed(Client())
    path = reverse("voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)])
    given = {"id": call.provider_id, "number": call.phone, "state": "BUSY", "price": "0.35"}
    return lambda: Client().post(path, given, JSON)


def test_the_first_report_of_a_callback_takes_five_and_a_repeat_six(
    report: Callable[[], Any],
) -> None:
    assert statements(report, 200) <= 5
    assert statements(report, 200) <= 6
    assert [one.repeats for one in CallRequest.objects.get().statuses.all()] == [0, 1]


@pytest.fixture
def moves() -> Iterator[list[tuple[str, str, str]]]:
    """What a receiver of the project is told: the row's state, its old state and its new one."""
    seen: list[tuple[str, str, str]] = []

    def receive(call: CallRequest, old_state: str, new_state: str, **given: Any) -> None:
        seen.append((call.state, old_state, new_state))

    signals.call_state_changed.connect(receive, sender=CallRequest)
    yield seen
    signals.call_state_changed.disconnect(receive, sender=CallRequest)


def test_the_first_report_takes_five_where_a_receiver_has_to_know_the_old_state(
    report: Callable[[], Any], moves: list[tuple[str, str, str]]
) -> None:
    moves.clear()
    assert statements(report, 200) <= 5
    assert moves == [("busy", "placed", "busy")]
