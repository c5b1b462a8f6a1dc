"""Every word in the provider's document maps to a state, and to a call or an SMS."""

from __future__ import annotations

import pytest

from django_voicepassword.exceptions import (
    AccountRefused,
    NumberRefused,
    ProviderRefused,
    RequestRefused,
)
from django_voicepassword.provider.protocol import vocabulary


@pytest.mark.parametrize(
    ("word", "state", "kind"),
    [
        ("BUSY", "busy", "call"),
        ("NO ANSWER", "no_answer", "call"),
        ("ANSWERED", "answered", "call"),
        ("CANCEL", "canceled", "call"),
        ("Успешно", "answered", "call"),
        ("Занято", "busy", "call"),
        ("Нет ответа", "no_answer", "call"),
        ("Отменен", "canceled", "call"),
        ("Отменён", "canceled", "call"),
        ("Недозвон", "failed", "call"),
        ("Дозвон", "dialing", "call"),
        ("QUEUED", "sms_queued", "sms"),
        ("SEND", "sms_sent", "sms"),
        ("SENT", "sms_sent", "sms"),
        ("DELIVERED", "delivered", "sms"),
        ("NOT DELIVERED", "not_delivered", "sms"),
        ("not_delivered", "not_delivered", "sms"),
        ("Передано шлюзу", "sms_queued", "sms"),
        ("Отправлено", "sms_sent", "sms"),
        (" Доставлено ", "delivered", "sms"),
        ("Не  доставлено", "not_delivered", "sms"),
        # Words for calls and for SMS: only the service decides.
        ("FAIL", "failed", None),
        ("Ошибка", "failed", None),
        ("Telepathy", "other", None),
        ("", "other", None),
    ],
)
def test_a_word_gives_the_state_and_the_kind(word: str, state: str, kind: str | None) -> None:
    assert vocabulary.read_state(word) == state
    assert vocabulary.kind_of(word, None) == vocabulary.kind_of(word, "") == kind
    # The word takes precedence over the service.
    assert vocabulary.kind_of(word, "SMS") == (kind or "sms")
    assert vocabulary.kind_of(word, "Voice Password") == (kind or "call")


@pytest.mark.parametrize(
    "word", sorted(vocabulary.CALL_STATES.keys() & vocabulary.SMS_STATES.keys())
)
def test_a_word_for_calls_and_sms_means_the_same_for_both(word: str) -> None:
    assert vocabulary.CALL_STATES[word] == vocabulary.SMS_STATES[word]


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("SMS", "sms"),
        ("Password by sms", "sms"),
        ("СМС-пароль", "sms"),
        ("Flash Call", "call"),
        ("", None),
        (None, None),
    ],
)
def test_without_a_word_the_service_gives_the_kind(service: str | None, kind: str | None) -> None:
    assert vocabulary.kind_of(None, service) == kind


@pytest.mark.parametrize(
    ("kind", "service", "channel"),
    [
        ("sms", "Flash Call", "sms"),
        ("sms", None, "sms"),
        ("call", "Flash Call", "flashcall"),
        ("call", "FLASHCALL", "flashcall"),
        ("call", "Voice Password", "voice"),
        ("call", "", "voice"),
        ("call", None, "voice"),
    ],
)
def test_the_channel_follows_from_kind_and_service(
    kind: str, service: str | None, channel: str
) -> None:
    assert vocabulary.channel_of(kind, service) == channel


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("Authorisation_Failed", AccountRefused),
        ("User_Disabled", AccountRefused),
        ("Not_Enough_Money", AccountRefused),
        ("Number_Is_Empty", NumberRefused),
        ("Number_Not_Valid", NumberRefused),
        ("Number_Not_Permitted", NumberRefused),
        ("Number_In_Spam_List", NumberRefused),
        ("Unknown_Request", RequestRefused),
        ("ANI_Phone_Not_Valid", RequestRefused),
        ("Code_Not_Valid", RequestRefused),
        ("ID_Not_Found", RequestRefused),
        ("Date_Is_Empty", RequestRefused),
        ("Something else", ProviderRefused),
    ],
)
def test_the_error_class_says_who_must_act(code: str, error: type[ProviderRefused]) -> None:
    for written in (code, f" {code.lower()} ", code.upper()):
        refusal = vocabulary.refusal(written)
        assert type(refusal) is error
        assert refusal.error_code == written
