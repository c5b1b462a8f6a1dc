"""Requests that are repeated with an Idempotency-Key: one call, one answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone, translation
from freezegun import freeze_time

from django_voicepassword import tasks, verifications
from django_voicepassword.calls import placing
from django_voicepassword.exceptions import (
    IdempotencyConflict,
    InvalidIdempotencyKey,
    RateLimited,
    Refused,
    Unavailable,
)
from django_voicepassword.history import retention
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import Sent
from django_voicepassword.testing import outbox as sent
from tests.concurrency import run_at_once

pytestmark = pytest.mark.django_db
PHONE = "79990000001"
KEY, OTHER_KEY = "0b7f2c1e-6a35-4f41-a1c9-5d0f6f0f4c55", "another-key-of-24-letters"
#: What may change between the first answer and a repeat.
CHANGING = ("delivery", "hint", "next_channels")


def post(path: str, body: dict[str, Any], key: str | None = KEY) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return Client().post(f"/api/{path}", json.dumps(body), "application/json", headers=headers)


def start(key: str | None = KEY, **fields: Any) -> Any:
    return post("verifications/", {"phone": PHONE, **fields}, key)


def resend(id: str, key: str | None = OTHER_KEY, **fields: Any) -> Any:
    return post(f"verifications/{id}/resend/", fields, key)


def lasting(answer: Any) -> dict[str, Any]:
    """Return what is alike in the first answer and in a repeat."""
    return {name: value for name, value in answer.json().items() if name not in CHANGING}


def assert_repeats(answer: Any, first: Any) -> None:
    """Assert that ``answer`` is that of a repeat, and like the first one."""
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert (answer.status_code, lasting(answer)) == (first.status_code, lasting(first))


@pytest.fixture(autouse=True)
def outbox(configure: Callable[..., None], outbox: list[Sent]) -> list[Sent]:
    configure(RESEND_AFTER=0, LIMITS={"phone": [], "ip": []})
    return outbox


def test_a_start_that_is_repeated_rings_once(outbox: list[Sent]) -> None:
    first = start()
    assert first.status_code == 201
    for _ in range(5):
        assert_repeats(start(), first)
    assert len(outbox) == Verification.objects.count() == CallRequest.objects.count() == 1
    # Without a key, and with another one, it is another start.
    ids = {answer.json()["id"] for answer in (first, start(None), start(OTHER_KEY))}
    assert len(ids) == len(outbox) == 3


def test_a_resend_that_is_repeated_rings_once(outbox: list[Sent]) -> None:
    id = start().json()["id"]
    first = resend(id)
    assert (first.status_code, first.json()["channel"]) == (200, "voice")
    for _ in range(5):
        assert_repeats(resend(id), first)
    assert [one.channel for one in outbox] == ["flashcall", "voice"]
    # The key of the start is another one, as its address is.
    assert resend(id, KEY).json()["channel"] == "sms"
    assert len(outbox) == 3


def test_a_repeat_is_answered_like_the_first_request_whatever_happened_since(
    outbox: list[Sent],
) -> None:
    first = start()
    id = first.json()["id"]
    second = resend(id)
    wrong = f"{(int(outbox[0].code) + 1) % 10000:04}"
    post(f"verifications/{id}/check/", {"code": wrong})
    third = resend(id, "the-key-of-the-third-request")
    assert (first.json()["attempts_left"], third.json()["attempts_left"]) == (5, 4)
    assert (second.json()["resend_at"] is None, third.json()["resend_at"]) == (False, None)
    post(f"verifications/{id}/check/", {"code": outbox[0].code})
    assert_repeats(start(), first)
    assert_repeats(resend(id), second)
    assert_repeats(resend(id, "the-key-of-the-third-request"), third)
    assert len(outbox) == 3
    # In Python a repeat returns the verification as it is.
    assert verifications.start(PHONE, idempotency_key=KEY).status == "approved"


@pytest.mark.parametrize(
    "changes", [{"phone": "79990000002"}, {"purpose": "order"}, {"channel": "flashcall"}]
)
def test_another_start_with_the_same_key_is_a_conflict(
    outbox: list[Sent], changes: dict[str, str]
) -> None:
    start()
    answer = start(**changes)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    assert len(outbox) == 1


def test_the_spelling_of_a_number_makes_no_other_request(outbox: list[Sent]) -> None:
    first = start(phone="8 (999) 000-00-01", purpose="login", channel=None)
    assert_repeats(start(), first)
    assert len(outbox) == 1


def test_another_resend_with_the_same_key_is_a_conflict(outbox: list[Sent]) -> None:
    id = start().json()["id"]
    resend(id)
    answer = resend(id, channel="sms")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_conflict")
    # A resend of another verification has nothing to do with it.
    assert resend(start(None).json()["id"]).status_code == 200
    assert len(outbox) == 4


@pytest.mark.parametrize("key", ["", "x" * 15, "x" * 129, "with a space inside", "ключ" * 5])
def test_a_text_that_is_no_key_is_refused(outbox: list[Sent], key: str) -> None:
    id = verifications.start(PHONE).id
    for answer in (start(key), resend(str(id), key)):
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
        with translation.override("ru"):
            assert "UUID" in answer.json()["detail"]
    with pytest.raises(InvalidIdempotencyKey):
        verifications.start(PHONE, idempotency_key=key)
    assert len(outbox) == 1


@pytest.mark.parametrize("key", ["x" * 16, "~!" * 64])
def test_the_shortest_and_the_longest_key(key: str) -> None:
    first = start(key)
    assert_repeats(start(key), first)


def refuse(verification: Verification, channel: str, request: Any) -> None:
    raise Refused("not today")


def test_a_request_that_is_refused_leaves_its_key_free(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(BEFORE_SEND=f"{__name__}.refuse")
    assert start().status_code == 403
    configure(LIMITS={"phone": ["0/d"]}, BEFORE_SEND=None)
    assert start().status_code == 429
    assert start(phone="12").status_code == 400
    configure(LIMITS={})
    # The body may be another one: the refused ones were never accepted.
    first = start(purpose="order")
    assert first.status_code == 201
    # And what was accepted is repeated, also where it would be refused by now.
    configure(LIMITS={"phone": ["0/d"]}, BEFORE_SEND=f"{__name__}.refuse", CHANNELS=["voice"])
    assert_repeats(start(purpose="order"), first)
    assert len(outbox) == 1


def test_a_request_whose_call_nobody_took_leaves_its_key_free(
    outbox: list[Sent],
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    configure(DISPATCH="inline", TRANSPORT="http", API_KEY="k" * 20, API_URL="http://127.0.0.1:1/")
    with pytest.raises(Unavailable), django_capture_on_commit_callbacks(execute=True):
        verifications.start(PHONE, idempotency_key=KEY)
    configure(DISPATCH=None, TRANSPORT="memory")
    id = start(purpose="order").json()["id"]
    assert len(outbox) == 1
    configure(DISPATCH="inline", TRANSPORT="http")
    with pytest.raises(Unavailable), django_capture_on_commit_callbacks(execute=True):
        verifications.resend(id, idempotency_key=OTHER_KEY)
    configure(DISPATCH=None, TRANSPORT="memory")
    assert "Idempotent-Replayed" not in resend(id, channel="voice").headers
    assert len(outbox) == 2


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None]) -> list[int]:
    """DISPATCH celery, and the calls whose task Celery has taken."""
    taken: list[int] = []
    configure(DISPATCH="celery")
    monkeypatch.setattr(tasks.place_call, "apply_async", lambda ids, **_: taken.extend(ids))
    return taken


def test_a_repeat_hands_in_a_call_whose_first_request_was_killed(
    broker: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    # Killed: nothing that follows the commit is run.
    killed = verifications.start(PHONE, idempotency_key=KEY)
    call = killed.calls.get()
    with django_capture_on_commit_callbacks(execute=True):
        assert verifications.start(PHONE, idempotency_key=KEY) == killed
    assert broker == [call.pk]
    placing.place(call.pk)
    with django_capture_on_commit_callbacks(execute=True):
        verifications.start(PHONE, idempotency_key=KEY)
        verifications.resend(killed.id, idempotency_key=KEY)
    resent = CallRequest.objects.latest("id")
    with django_capture_on_commit_callbacks(execute=True):
        verifications.resend(killed.id, idempotency_key=KEY)
    assert broker == [call.pk, resent.pk, resent.pk]


def test_a_client_that_repeats_and_repeats_publishes_few_tasks(
    broker: list[int], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with freeze_time(timezone.now()) as clock:
        with django_capture_on_commit_callbacks(execute=True):
            call = verifications.start(PHONE, idempotency_key=KEY).calls.get()
        for _ in range(30):
            with django_capture_on_commit_callbacks(execute=True):
                verifications.start(PHONE, idempotency_key=KEY)
            clock.tick(1)
    assert broker == [call.pk] * 3


def test_a_repeat_is_refused_like_the_first_request_while_the_broker_is_away(
    broker: list[int],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    call = verifications.start(PHONE, idempotency_key=KEY).calls.get()

    def refuse_task(ids: object, **options: object) -> None:
        raise OSError("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(tasks.place_call, "apply_async", refuse_task)
        with pytest.raises(Unavailable), django_capture_on_commit_callbacks(execute=True):
            verifications.start(PHONE, idempotency_key=KEY)
    # That one has published nothing: the next one does.
    with django_capture_on_commit_callbacks(execute=True):
        verifications.start(PHONE, idempotency_key=KEY)
    assert broker == [call.pk]
    # Only the first request decides that nobody takes the call. It is killed before it frees the
    # key.
    placing.give_up(call.pk, "broker_unavailable")
    with pytest.raises(Unavailable):
        verifications.start(PHONE, idempotency_key=KEY)
    again = verifications.start(PHONE, idempotency_key=KEY)
    assert (again.first_answer, again.calls.get().pk != call.pk) == (None, True)


def test_inline_a_repeat_places_a_call_whose_first_request_was_killed(
    outbox: list[Sent],
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    configure(DISPATCH="celery")
    killed = verifications.start(PHONE, idempotency_key=KEY)
    configure(DISPATCH="inline")
    CallRequest.objects.update(created_at=F("created_at") - timedelta(seconds=16))
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            assert verifications.start(PHONE, idempotency_key=KEY) == killed
        assert len(outbox) == 1


def test_inline_a_repeat_is_refused_where_the_first_request_was_killed_after_its_refusal(
    configure: Callable[..., None],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    call = verifications.start(PHONE, idempotency_key=KEY).calls.get()
    CallRequest.objects.filter(pk=call.pk).update(state="refused", error_code="account_refused")
    configure(DISPATCH="inline")
    with pytest.raises(Unavailable), django_capture_on_commit_callbacks(execute=True):
        verifications.start(PHONE, idempotency_key=KEY)
    assert verifications.start(PHONE, idempotency_key=KEY).calls.get().pk != call.pk


def test_a_key_lives_as_long_as_its_verification(outbox: list[Sent]) -> None:
    with freeze_time(timezone.now()) as clock:
        id = start().json()["id"]
        resend(id)
        clock.tick(timedelta(seconds=299))
        assert start().json()["id"] == id
        clock.tick(timedelta(seconds=1))
        assert resend(id).status_code == 410
        again = start(purpose="order")
        assert (again.status_code, again.json()["id"] != id) == (201, True)
        assert_repeats(start(purpose="order"), again)
    assert len(outbox) == 3


def test_in_python_a_repeat_returns_the_same_verification(outbox: list[Sent]) -> None:
    first = verifications.start(PHONE, idempotency_key=KEY)
    assert verifications.start(PHONE, idempotency_key=KEY) == first
    with pytest.raises(IdempotencyConflict):
        verifications.start(PHONE, purpose="order", idempotency_key=KEY)
    verifications.resend(first.id, idempotency_key=KEY)
    assert verifications.resend(first.id, idempotency_key=KEY) == first
    with pytest.raises(IdempotencyConflict):
        verifications.resend(first.id, "sms", idempotency_key=KEY)
    assert len(outbox) == 2


def test_a_test_number_has_one_verification_too(configure: Callable[..., None]) -> None:
    configure(TEST_NUMBERS={PHONE: "1234"})
    first = start()
    assert_repeats(start(), first)
    second = resend(first.json()["id"])
    assert_repeats(resend(first.json()["id"]), second)
    assert CallRequest.objects.count() == 2


def test_no_table_holds_a_key_or_a_number_in_clear() -> None:
    id = start().json()["id"]
    resend(id)
    kept = [*Verification.objects.values_list("idempotency_digest", flat=True)]
    kept += [*CallRequest.objects.values_list("idempotency", flat=True)]
    assert len(kept) == 3
    for secret in (KEY, OTHER_KEY, PHONE):
        assert secret not in json.dumps(kept)


def test_masked_rows_keep_nothing_of_a_request(configure: Callable[..., None]) -> None:
    id = start().json()["id"]
    resend(id)
    configure(RETENTION_DAYS=1, RETENTION="mask")
    retention.purge(timezone.now() + timedelta(days=3))
    assert Verification.objects.get().idempotency_digest is None
    assert set(CallRequest.objects.values_list("idempotency", flat=True)) == {None}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", ["9/d", "1/d"])
def test_equal_starts_at_once_are_one_call(configure: Callable[..., None], limit: str) -> None:
    configure(LIMITS={"phone": [limit], "ip": []})
    answers: list[Any] = run_at_once([start] * 10)
    assert [answer.status_code for answer in answers] == [201] * 10
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 9
    assert len({json.dumps(lasting(answer)) for answer in answers}) == 1
    assert len(sent) == CallRequest.objects.count() == Verification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_equal_starts_at_once_inline_are_refused_alike(configure: Callable[..., None]) -> None:
    configure(DISPATCH="inline", TRANSPORT="http", API_KEY="k" * 20, API_URL="http://127.0.0.1:1/")
    answers: list[Any] = run_at_once([start] * 4)
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (503, "unavailable")
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pause", [0, 60])
def test_equal_resends_at_once_are_one_call(configure: Callable[..., None], pause: int) -> None:
    id = start().json()["id"]
    configure(RESEND_AFTER=pause)
    Verification.objects.update(last_sent_at=None)
    answers: list[Any] = run_at_once([lambda: resend(id)] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 9
    assert len({json.dumps(lasting(answer)) for answer in answers}) == 1
    assert len(sent) == CallRequest.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_different_starts_at_once_with_one_key_are_one_call_and_conflicts() -> None:
    purposes = [f"order-{number}" for number in range(6)]
    answers: list[Any] = run_at_once([partial(start, purpose=one) for one in purposes])
    assert sorted(answer.status_code for answer in answers) == [201] + [422] * 5
    assert len(sent) == 1


def test_a_repeat_after_secret_key_was_changed_rings_nobody(
    outbox: list[Sent], settings: Any
) -> None:
    first = start()
    second = resend(first.json()["id"])
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "n" * 50, [settings.SECRET_KEY]
    assert_repeats(start(), first)
    assert_repeats(resend(first.json()["id"]), second)
    assert start(purpose="order").status_code == 422
    assert len(outbox) == 2


def test_without_a_key_nothing_changes(outbox: list[Sent], configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": ["2/d"]})
    assert [start(None).status_code for _ in range(3)] == [201, 201, 429]
    with pytest.raises(RateLimited):
        verifications.start(PHONE)
