"""Encodes requests to the provider, with exactly one section each.

Requests that the provider would misunderstand raise InvalidRequest. See the sections "Описание
параметров JSON запроса" and "Запрос статистики" of its document. All scalars are strings, as in its
samples.
"""

from __future__ import annotations

import datetime
import re
from urllib.parse import urlsplit

_CODE = re.compile(r"[0-9]{4}")
_NUMBER = re.compile(r"[0-9]{11,15}")
_CALLBACK_URL = re.compile(r"[!-~]{1,2000}")

Body = dict[str, object]


class InvalidRequest(ValueError):
    """The arguments are wrong, and nothing was sent. The message contains no secret."""


def encode_flash_call(
    number: str,
    code: str | None = None,
    capacity: int | None = None,
    callback_url: str | None = None,
) -> Body:
    """A flash call with ``code``, or with a code that the provider makes.

    ``capacity`` is the number of digits of the provider's code: 4 to 10, by default 4.
    """
    body: Body = {"number": _number(number)}
    if code is not None:
        if capacity is not None:
            raise InvalidRequest(
                "capacity is for a code that the provider makes: leave out capacity, or code"
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
    """A voice call. Without ``code`` the section is empty, and the provider makes the code."""
    voice: Body = {}
    if code is not None:
        voice["code"] = _code(code)
    if repeat:
        voice["repeat"] = "1"
    if ani is not None:
        voice["ani"] = _number(ani, "ani")
    return _with_callback({"number": _number(number), "voice": voice}, callback_url)


def encode_sms(request_id: str) -> Body:
    """An SMS with the code of an earlier call.

    It must have no number: if the id is missing, the provider places a flash call to the number.
    """
    return {"sms": {"id": _request_id(request_id)}}


def encode_balance() -> Body:
    return {"request": "balance"}


def encode_state(request_id: str) -> Body:
    return {"request": "state", "id": _request_id(request_id)}


def encode_daily(date: datetime.date) -> Body:
    """The statistics of one of the provider's days, which it writes as dd.mm.yyyy."""
    if not isinstance(date, datetime.date):
        raise InvalidRequest("date must be a datetime.date")
    return {"request": "daily", "date": f"{date.day:02}.{date.month:02}.{date.year:04}"}


def _number(number: object, name: str = "number") -> str:
    digits = number.removeprefix("+") if isinstance(number, str) else ""
    if not _NUMBER.fullmatch(digits):
        raise InvalidRequest(
            f"{name} must be a phone number of 11 to 15 digits with its country code, for example "
            "79999999999"
        )
    return digits


def _code(code: object) -> str:
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise InvalidRequest(
            'code must be a string of exactly 4 digits, for example "0123"; with None the provider '
            "makes one"
        )
    return code


def _capacity(capacity: object) -> str:
    if isinstance(capacity, bool) or not isinstance(capacity, int) or not 4 <= capacity <= 10:
        raise InvalidRequest("capacity must be a number from 4 to 10")
    return str(capacity)


def _request_id(request_id: object) -> str:
    text = (
        str(request_id).strip()
        if isinstance(request_id, (str, int)) and request_id is not True
        else ""
    )
    if not text or len(text) > 64 or not text.isprintable():
        raise InvalidRequest("an id is needed: the id in the reply to the earlier call")
    return text


def _with_callback(body: Body, callback_url: object) -> Body:
    if callback_url is None:
        return body
    if not isinstance(callback_url, str) or not _CALLBACK_URL.fullmatch(callback_url):
        raise InvalidRequest(
            "callback_url must be an absolute URL without spaces, for example "
            "https://example.org/callback/"
        )
    try:
        parts = urlsplit(callback_url)
        host, user = parts.hostname, parts.username
    except ValueError:
        host, user = None, None
    if not host or user or parts.scheme not in ("http", "https"):
        raise InvalidRequest(
            "callback_url must be an absolute http or https URL without a user name"
        )
    return {**body, "callback_url": callback_url}
