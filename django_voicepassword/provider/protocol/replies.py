"""Answers of the provider: JSON to a frozen reply, or to the error that says who must act.

Sections "Ответ сервера на запрос в формате JSON" and "Примеры запросов с описанием ответов
сервера".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.provider.protocol.fields import (
    read_amount,
    read_price,
    read_text,
    strip_keys,
)
from django_voicepassword.provider.protocol.json_decoder import decode_json
from django_voicepassword.provider.protocol.reports import Report, parse_report
from django_voicepassword.security.masking import mask_text

_CODE = re.compile(r"[0-9]{4,10}")
_CODE_IN_MESSAGE = re.compile(r"(?<![0-9])[0-9]{4,10}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account holds."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class SendReply:
    """The provider took a call or an SMS. ``number`` is the subscriber's, never the caller's.
    ``id`` may be empty.
    """

    id: str
    number: str | None = field(default=None, repr=False)
    price: Decimal | None = None
    code: str | None = field(default=None, repr=False)


def parse_send(body: bytes, *secrets: str | None) -> SendReply:
    """The answer to a call or an SMS. Raises ProviderRefused, UnreadableReply. ``secrets`` are
    never repeated.
    """
    values = parse_object(body, *secrets)
    return SendReply(
        id=read_text(values.get("id"), 64) or "",
        number=read_text(values.get("number"), 20),
        price=read_price(values.get("price")),
        code=_read_code(values),
    )


def parse_balance(body: bytes, *secrets: str | None) -> Balance:
    """The answer to ``balance``. Raises ProviderRefused, UnreadableReply."""
    values = parse_object(body, *secrets)
    amount = read_amount(values.get("balance"))
    if amount is None:
        raise UnreadableReply("the answer has no balance")
    return Balance(amount, read_text(values.get("currency"), 16) or "")


def parse_state(body: bytes, *secrets: str | None) -> Report:
    """The answer to ``state``: ``data`` is an object; a list of one is taken too."""
    data = parse_object(body, *secrets).get("data")
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return parse_report(data, *secrets)


def parse_object(body: bytes, *secrets: str | None) -> dict[str, Any]:
    """An answer's object with stripped, casefolded keys, once ``result`` is ok."""
    payload = decode_json(body)
    if not isinstance(payload, dict):
        raise UnreadableReply("the answer is no JSON object")
    values = strip_keys(payload)
    result = (read_text(values.get("result"), 16) or "").casefold()
    if result == "error":
        raise_refusal(values, *secrets)
    if result != "ok":
        raise UnreadableReply('the answer has neither result "ok" nor "error"')
    return values


def raise_refusal(values: dict[str, Any], *secrets: str | None) -> None:
    """Raise the ProviderRefused for an answer whose result is ``error``."""
    code = values.get("error_code")
    text = "" if isinstance(code, (dict, list)) or code is None else str(code)
    raise vocabulary.refusal(mask_text(text, *secrets) or "no error code")


def _read_code(values: dict[str, Any]) -> str | None:
    code = read_text(values.get("code"), 16) or ""
    if _CODE.fullmatch(code):
        return code
    found = _CODE_IN_MESSAGE.search(read_text(values.get("message"), 200) or "")
    return found[0] if found else None
