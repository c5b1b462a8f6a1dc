"""The provider's words and ours. What is not in a table stays raw."""

from __future__ import annotations

from django_voicepassword.exceptions import (
    AccountRefused,
    NumberRefused,
    ProviderRefused,
    RequestRefused,
)

#: A word that the document does not know.
OTHER = "other"

#: Words of callbacks (English) and of ``state`` and ``daily`` (Russian) for calls. Section
#: "Описание статусов".
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
    # Between dialing and the operator's answer: not final.
    "дозвон": "dialing",
}

#: Words of SMS. FAIL and Ошибка are in both tables.
SMS_STATES = {
    "queued": "sms_queued",
    "send": "sms_sent",
    # Not in the document, and the likeliest slip for "SEND".
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

#: Section 4 of the document: error code, casefolded -> who must act.
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
    known = _normal(word)
    return CALL_STATES.get(known) or SMS_STATES.get(known) or OTHER


def kind_of(word: str | None, service: str | None) -> str | None:
    """``call`` or ``sms``, told by the word, else by the service that was sold; None where neither
    tells.
    """
    known = _normal(word or "")
    is_call, is_sms = known in CALL_STATES, known in SMS_STATES
    if is_call != is_sms:
        return "call" if is_call else "sms"
    sold = (service or "").casefold()
    if not sold:
        return None
    return "sms" if "sms" in sold or "смс" in sold else "call"


def channel_of(kind: str, service: str | None) -> str:
    """Our channel for what was sold. "Voice Password" names the product as well: only a word for a
    flash call is sure.
    """
    if kind == "sms":
        return "sms"
    return "flashcall" if "flash" in (service or "").casefold() else "voice"


def refusal(error_code: str) -> ProviderRefused:
    """The error for an ``error_code``; unknown text is a plain ProviderRefused."""
    return ERROR_CODES.get(error_code.strip().casefold(), ProviderRefused)(error_code)


def _normal(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("ё", "е").split())
