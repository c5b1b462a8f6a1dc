"""Parses the provider's answers, into frozen dataclasses or the error that says who must act.

See the sections "Ответ сервера на запрос в формате JSON" and "Примеры запросов с описанием ответов
сервера".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NoReturn

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
    """The balance of the account."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class SendReply:
    """The provider accepted a call or an SMS.

    ``number`` is the number called, not the calling one. ``id`` may be empty.
    """

    id: str
    number: str | None = field(default=None, repr=False)
    price: Decimal | None = None
    code: str | None = field(default=None, repr=False)


def parse_send(body: bytes, *secrets: str | None) -> SendReply:
    """Parse the answer to a call or an SMS. Raises ProviderRefused or UnreadableReply.

    ``secrets`` are masked in the message of the error, here and in the functions below.
    """
    values = parse_object(body, *secrets)
    return SendReply(
        id=read_text(values.get("id"), 64) or "",
        number=read_text(values.get("number"), 20),
        price=read_price(values.get("price")),
        code=_read_code(values),
    )


def parse_balance(body: bytes, *secrets: str | None) -> Balance:
    """Parse the answer to ``balance``. Raises ProviderRefused or UnreadableReply."""
    values = parse_object(body, *secrets)
    amount = read_amount(values.get("balance"))
    if amount is None:
        raise UnreadableReply("the answer has no balance")
    return Balance(amount, read_text(values.get("currency"), 16) or "")


def parse_state(body: bytes, *secrets: str | None) -> Report:
    """Parse the answer to ``state``. Its ``data`` is a report, or a list or object of one report.

    Raises ProviderRefused or UnreadableReply.
    """
    data = parse_object(body, *secrets).get("data")
    items = list(data.values()) if isinstance(data, dict) else data
    if isinstance(items, list) and len(items) == 1 and isinstance(items[0], dict):
        data = items[0]
    return parse_report(data, *secrets)


def parse_object(body: bytes, *secrets: str | None) -> dict[str, object]:
    """Parse an answer whose ``result`` is ok; the keys are stripped and casefolded.

    Raises ProviderRefused or UnreadableReply.
    """
    payload = decode_json(body)
    if not isinstance(payload, dict):
        raise UnreadableReply("the answer is not a JSON object")
    values = strip_keys(payload)
    result = (read_text(values.get("result"), 16) or "").casefold()
    if result == "error":
        raise_refusal(values, *secrets)
    if result != "ok":
        raise UnreadableReply('the answer has neither result "ok" nor "error"')
    return values


def raise_refusal(values: dict[str, object], *secrets: str | None) -> NoReturn:
    """Raise the ProviderRefused for an answer whose result is ``error``."""
    code = values.get("error_code")
    text = "" if isinstance(code, (dict, list)) or code is None else str(code)
    raise vocabulary.refusal(mask_text(text, *secrets) or "no error code")


def _read_code(values: dict[str, object]) -> str | None:
    code = read_text(values.get("code"), 16) or ""
    if _CODE.fullmatch(code):
        return code
    match = _CODE_IN_MESSAGE.search(read_text(values.get("message"), 200) or "")
    return match[0] if match else None
