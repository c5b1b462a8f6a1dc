"""What a person is told about the newest call, on the pages and in the API: stage, hint, advice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications.description import Description, describe
from django_voicepassword.verifications.stages import ARRIVES_WITHIN, STARTS_WITHIN, stage_of

State = CallRequest.State
PHONE = "+79990000001"
DO_NOT_ANSWER = "Do not answer: the code is the last 4 digits of the number that calls."
CODE_WAS = "The code is the last 4 digits of the number that called."


@pytest.fixture
def told(db: Any, outbox: Any) -> Callable[..., Description]:
    """``told(state, channel)``: what is told of a verification whose only call is like this."""
    verification = verifications.start(PHONE)

    def tell(state: str, channel: str = "flashcall", seconds: float = 1, **values: Any) -> Any:
        past = timezone.now() - timedelta(seconds=seconds)
        values |= {"state": state, "channel": channel, "created_at": past, "claimed_at": past}
        values |= {"placed_at": None if state in ("queued", "placing") else past}
        CallRequest.objects.update(**values)
        return describe(verifications.get(verification.id))

    return tell


@pytest.mark.parametrize(
    ("state", "seconds", "stage"),
    [
        (State.QUEUED, 0, "preparing"),
        (State.PLACING, STARTS_WITHIN - 1, "preparing"),
        (State.QUEUED, STARTS_WITHIN, "slow"),
        (State.PLACING, STARTS_WITHIN, "slow"),
        (State.PLACED, STARTS_WITHIN, "under_way"),
        (State.DIALING, ARRIVES_WITHIN - 1, "under_way"),
        (State.PLACED, ARRIVES_WITHIN, "slow"),
        (State.SMS_SENT, ARRIVES_WITHIN, "slow"),
        (State.UNKNOWN, 0, "slow"),
        (State.NO_ANSWER, 100, "done"),
        (State.CANCELED, 100, "done"),
        (State.ANSWERED, 100, "done"),
        (State.DELIVERED, 100, "done"),
        (State.BUSY, 0, "busy"),
        (State.FAILED, 0, "failed"),
        (State.NOT_DELIVERED, 0, "failed"),
    ],
)
def test_a_call_that_nothing_is_heard_of_becomes_slow(
    state: str, seconds: float, stage: str
) -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=timezone.get_current_timezone())
    past = now - timedelta(seconds=seconds)
    placed_at = None if state in ("queued", "placing") else past
    assert stage_of(CallRequest(state=state, created_at=past, placed_at=placed_at), now) == stage


@pytest.mark.parametrize(
    ("error_code", "stage"),
    [
        ("number_not_valid", "wrong_number"),
        ("NUMBER_IS_EMPTY", "wrong_number"),
        ("number_not_permitted", "wrong_number"),
        ("number_in_spam_list", "blocked_number"),
        ("not_enough_money", "unavailable"),
        ("user_disabled", "unavailable"),
        ("account_refused", "unavailable"),
        ("budget_exhausted", "unavailable"),
        ("unreachable", "unavailable"),
        ("broker_unavailable", "unavailable"),
        ("ani_phone_not_valid", "refused"),
        ("no_earlier_call", "refused"),
        ("", "refused"),
    ],
)
def test_a_refusal_says_who_is_to_blame(error_code: str, stage: str) -> None:
    call = CallRequest(state=State.REFUSED, error_code=error_code)
    assert stage_of(call, timezone.now()) == stage


def test_a_call_without_a_row_is_being_prepared() -> None:
    assert stage_of(None, timezone.now()) == "preparing"


@pytest.mark.parametrize(
    ("channel", "state", "seconds", "hint"),
    [
        ("flashcall", "queued", 1, f"We are about to call you. {DO_NOT_ANSWER}"),
        ("flashcall", "dialing", 1, f"We are calling you. {DO_NOT_ANSWER}"),
        (
            "flashcall",
            "queued",
            20,
            "The call is late. Keep your phone at hand. No call? Choose another way.",
        ),
        (
            "flashcall",
            "unknown",
            1,
            "The call should have come by now. Look at your missed calls. "
            f"{CODE_WAS} No call? Choose another way.",
        ),
        ("flashcall", "no_answer", 1, f"We called you. {CODE_WAS}"),
        (
            "flashcall",
            "busy",
            1,
            f"Your line was busy, but there may be a missed call. {CODE_WAS} "
            "No call? Try again or choose another way.",
        ),
        (
            "flashcall",
            "failed",
            1,
            "The call did not get through. Check that your phone is on and has a signal. "
            "Choose another way.",
        ),
        ("voice", "queued", 1, "A robot is about to call you. Answer, and listen to the code."),
        (
            "voice",
            "placed",
            1,
            "A robot is calling you. Answer, listen to the code and enter it here.",
        ),
        (
            "voice",
            "placed",
            50,
            "The call should have come by now. If a robot said the code, enter it here. "
            "No call? Choose another way.",
        ),
        ("voice", "answered", 1, "A robot called you and said the code. Enter it here."),
        ("voice", "no_answer", 1, "The robot called, but nobody answered. Choose another way."),
        (
            "voice",
            "busy",
            1,
            "The robot called, but your line was busy. End the other call. "
            "Try again or choose another way.",
        ),
        ("sms", "sms_sent", 1, "The SMS with the code is on its way."),
        (
            "sms",
            "sms_sent",
            50,
            "The SMS is late. It may still come. No SMS? Choose another way.",
        ),
        ("sms", "delivered", 1, "The SMS with the code was delivered. Enter the code here."),
        ("sms", "not_delivered", 1, "The SMS was not delivered. Choose another way."),
    ],
)
def test_the_hint_of_each_stage(
    told: Callable[..., Description], channel: str, state: str, seconds: float, hint: str
) -> None:
    description = told(state, channel, seconds)
    assert description.hint == hint
    assert description.takes_code


@pytest.mark.parametrize(
    ("error_code", "hint"),
    [
        ("number_not_valid", "This number cannot be called. Check it, or enter another one."),
        (
            "number_in_spam_list",
            "This number does not take our calls for now. Choose another way.",
        ),
        ("not_enough_money", "Calls are not available for now. Try again later."),
        ("budget_exhausted", "Calls are not available today. Try again tomorrow."),
        ("unreachable", "Calls are not available right now. Try again in a minute."),
        ("unknown_request", "The call could not be made. Choose another way."),
    ],
)
def test_the_hint_of_each_refusal(
    told: Callable[..., Description], error_code: str, hint: str
) -> None:
    description = told(State.REFUSED, error_code=error_code)
    assert description.hint == hint
    assert not description.takes_code


def test_a_number_that_cannot_be_called_is_called_by_no_channel(
    told: Callable[..., Description],
) -> None:
    assert told(State.REFUSED, error_code="number_not_valid").next_channels == []


def test_another_way_is_named_only_where_there_is_one(
    told: Callable[..., Description], configure: Callable[..., None]
) -> None:
    configure(CHANNELS=["flashcall"])
    assert told(State.FAILED).hint.endswith("has a signal. Try again.")
    configure(MAX_SENDS=1)
    assert told(State.FAILED).hint.endswith("has a signal. Start again to get a new code.")


def test_every_channel_is_offered_again_after_the_last_one(
    told: Callable[..., Description],
) -> None:
    assert told(State.NO_ANSWER).next_channels == ["voice", "sms"]
    description = told(State.DELIVERED, "sms")
    CallRequest.objects.create(
        verification=Verification.objects.get(),
        phone=PHONE[1:],
        channel="flashcall",
        provider_id="1",
        state=State.REFUSED,
    )
    newest_first = list(CallRequest.objects.order_by("-id"))
    description = describe(Verification.objects.get(), newest_first)
    assert description.next_channels == ["sms", "flashcall", "voice"]
    # The code of the call before is still to be typed.
    assert description.takes_code


def test_a_busy_line_may_be_called_again(told: Callable[..., Description]) -> None:
    assert told(State.BUSY).next_channels == ["voice", "sms", "flashcall"]


def test_a_hint_in_russian(told: Callable[..., Description]) -> None:
    with translation.override("ru"):
        assert told(State.DIALING).hint.replace("\u00a0", " ") == (
            "Звоним вам. Не отвечайте: код — последние 4 цифры номера, с которого звонят."
        )
