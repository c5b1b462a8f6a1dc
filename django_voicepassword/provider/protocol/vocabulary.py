"""Translates the provider's words. Words that are in no table are stored as they are."""

from __future__ import annotations

from django_voicepassword.exceptions import (
    AccountRefused,
    NumberRefused,
    ProviderRefused,
    RequestRefused,
)

#: Our state for a word that the provider's document does not have.
OTHER = "other"

#: States of calls: callbacks are in English, ``state`` and ``daily`` in Russian. See the section
#: "Описание статусов" of the document.
CALL_STATES = {
    "busy": "busy",
    "no answer": "no_answer",
    "answered": "answered",
    "fail": "failed",
    "cancel": "canceled",
    "успешно": "answered",
    "занято": "busy",
    "нет ответа": "no_answer",
    "ошибка": "failed",
    "отменен": "canceled",
    # "Аналогичен статусу «Ошибка»".
    "недозвон": "failed",
    # Still dialing; the operator has not answered yet, so the state is not final.
    "дозвон": "dialing",
}

#: States of SMS. FAIL and Ошибка are states of calls, too.
SMS_STATES = {
    "queued": "sms_queued",
    "send": "sms_sent",
    # Not in the document, but a likely variant of "SEND".
    "sent": "sms_sent",
    "delivered": "delivered",
    "not delivered": "not_delivered",
    "fail": "failed",
    "передано шлюзу": "sms_queued",
    "отправлено": "sms_sent",
    "доставлено": "delivered",
    "не доставлено": "not_delivered",
    "ошибка": "failed",
}

#: Section 4 of the document: casefolded error code -> the error that says who must act.
ERROR_CODES: dict[str, type[ProviderRefused]] = {
    "authorisation_failed": AccountRefused,
    "user_disabled": AccountRefused,
    "not_enough_money": AccountRefused,
    "number_is_empty": NumberRefused,
    "number_not_valid": NumberRefused,
    "number_not_permitted": NumberRefused,
    "number_in_spam_list": NumberRefused,
    "unknown_request": RequestRefused,
    "ani_phone_not_valid": RequestRefused,
    "code_not_valid": RequestRefused,
    "id_not_found": RequestRefused,
    "date_is_empty": RequestRefused,
}


def read_state(word: str) -> str:
    """Our state for the provider's word, or OTHER."""
    word = _normalize(word)
    return CALL_STATES.get(word) or SMS_STATES.get(word) or OTHER


def kind_of(word: str | None, service: str | None) -> str | None:
    """``call`` or ``sms``, by the state's word, else by the service; None where neither decides."""
    word = _normalize(word or "")
    is_call, is_sms = word in CALL_STATES, word in SMS_STATES
    if is_call != is_sms:
        return "call" if is_call else "sms"
    service = (service or "").casefold()
    if not service:
        return None
    return "sms" if "sms" in service or "смс" in service else "call"


def is_kind_certain(word: str | None, service: str | None) -> bool:
    """Whether ``kind_of`` is more than a guess.

    "Voice Password" is the name of the whole product, and so says nothing.
    """
    word = _normalize(word or "")
    if (word in CALL_STATES) != (word in SMS_STATES):
        return True
    service = (service or "").casefold()
    return any(name in service for name in ("sms", "смс", "flash"))


def channel_of(kind: str, service: str | None) -> str:
    """Our channel for a service.

    "Voice Password" is also the name of the whole product, so only "flash" decides between calls.
    """
    if kind == "sms":
        return "sms"
    return "flashcall" if "flash" in (service or "").casefold() else "voice"


def is_of_account(error_code: str) -> bool:
    """Whether an ``error_code`` refuses the account, and so every request."""
    return isinstance(refusal(error_code), AccountRefused)


def refusal(error_code: str) -> ProviderRefused:
    """The error for an ``error_code``; ProviderRefused itself if the code is unknown."""
    return ERROR_CODES.get(error_code.strip().casefold(), ProviderRefused)(error_code)


def _normalize(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("ё", "е").split())
