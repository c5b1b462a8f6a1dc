"""Intent to JSON. Exactly one section is ever sent; what the provider would misread is refused
here.

Sections "Описание параметров JSON запроса" and "Запрос статистики". Every scalar is a string, as in
the samples.
"""

from __future__ import annotations

import datetime
import re
from typing import Any
from urllib.parse import urlsplit

_CODE = re.compile(r"[0-9]{4}")
_NUMBER = re.compile(r"[0-9]{11,15}")
_CALLBACK_URL = re.compile(r"[!-~]{1,2000}")

Body = dict[str, Any]


class InvalidRequest(ValueError):
    """Refused before anything was sent; the message says what to do and repeats no secret."""


def encode_flash_call(
    number: str,
    code: str | None = None,
    capacity: int | None = None,
    callback_url: str | None = None,
) -> Body:
    """A flash call with our ``code``, or with the provider's of ``capacity`` digits (4 to 10,
    default 4).
    """
    body: Body = {"number": _number(number)}
    if code is not None:
        if capacity is not None:
            raise InvalidRequest(
                "capacity goes with the provider's code only: leave out capacity, or code"
            )
        body["flashcall"] = {"code": _code(code)}
    else:
        body["capacity"] = _capacity(4 if capacity is None else capacity)
    return _with_callback(body, callback_url)


def encode_voice_call(
    number: str,
    code: str | None = None,
    repeat: bool = False,
    ani: str | None = None,
    callback_url: str | None = None,
) -> Body:
    """A voice call; without ``code`` the section stays empty, which means the provider's code."""
    voice: Body = {}
    if code is not None:
        voice["code"] = _code(code)
    if repeat:
        voice["repeat"] = "1"
    if ani is not None:
        voice["ani"] = _number(ani, "ani")
    return _with_callback({"number": _number(number), "voice": voice}, callback_url)


def encode_sms(request_id: str) -> Body:
    """The code of an earlier request as text. No number: with one, and no id, the provider places a
    flash call.
    """
    return {"sms": {"id": _request_id(request_id)}}


def encode_balance() -> Body:
    return {"request": "balance"}


def encode_state(request_id: str) -> Body:
    return {"request": "state", "id": _request_id(request_id)}


def encode_daily(date: datetime.date) -> Body:
    """``date``: the provider's day, written dd.mm.yyyy."""
    if not isinstance(date, datetime.date):
        raise InvalidRequest("date must be a datetime.date")
    return {"request": "daily", "date": f"{date.day:02}.{date.month:02}.{date.year:04}"}


def _number(number: Any, name: str = "number") -> str:
    digits = number.removeprefix("+") if isinstance(number, str) else ""
    if not _NUMBER.fullmatch(digits):
        raise InvalidRequest(
            f"{name} must be a phone number of 11 to 15 digits with its country code, as 79999999999"
        )
    return digits


def _code(code: Any) -> str:
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise InvalidRequest(
            'code must be text of exactly 4 digits, as "0123"; None lets the provider make one'
        )
    return code


def _capacity(capacity: Any) -> str:
    if isinstance(capacity, bool) or not isinstance(capacity, int) or not 4 <= capacity <= 10:
        raise InvalidRequest("capacity must be a number from 4 to 10")
    return str(capacity)


def _request_id(request_id: Any) -> str:
    text = (
        str(request_id).strip()
        if isinstance(request_id, (str, int)) and request_id is not True
        else ""
    )
    if not text or len(text) > 64 or not text.isprintable():
        raise InvalidRequest("an id is needed: the one that the reply to the earlier call told")
    return text


def _with_callback(body: Body, callback_url: Any) -> Body:
    if callback_url is None:
        return body
    if not isinstance(callback_url, str) or not _CALLBACK_URL.fullmatch(callback_url):
        raise InvalidRequest(
            "callback_url must be an absolute address without spaces, as https://example.org/callback/"
        )
    try:
        parts = urlsplit(callback_url)
        host, user = parts.hostname, parts.username
    except ValueError:
        host, user = None, None
    if not host or user or parts.scheme not in ("http", "https"):
        raise InvalidRequest(
            "callback_url must be an absolute http or https address without a user name"
        )
    return {**body, "callback_url": callback_url}
