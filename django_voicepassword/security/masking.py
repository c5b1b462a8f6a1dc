"""What of the provider's text may be kept or logged: everything but keys, codes and whole numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import phonenumbers

#: Longest text that is kept of one value, and how many values of one payload.
MAX_TEXT, MAX_KEYS = 200, 30

_HIDDEN = "***"
_SECRET_KEYS = ("code", "message", "apikey", "security", "authorization")
_KNOWN_KEYS = ("price", "duration", "rows", "balance", "currency", "result")
#: The provider's own, in which there is nothing to mask.
_PLAIN_KEYS = frozenset({"id", "number", "state", "date", "service", *_KNOWN_KEYS})
# Ten digits and more, whatever people put between them, are a phone number.
_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,3}\d){9,}")
# What may be a code, where nobody needs so many digits.
_CODE = re.compile(r"\d{4,}")
#: The forms of a date, which has as many digits as a number.
DATE = re.compile(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", re.ASCII)


def clean_text(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates, no control characters, one line."""
    if text.isprintable():
        # Nearly every text: a walk through its characters takes twenty times as long.
        return text.strip()
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in text).strip()


def mask_text(text: object, *secrets: str | None, length: int = MAX_TEXT) -> str:
    """``text`` without the ``secrets`` and without whole phone numbers, at most ``length``
    characters.
    """
    masked = str(text)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        masked = masked.replace(secret, _HIDDEN)
    # Cut before the work, with room for a number that begins inside: nobody makes us search a
    # megabyte.
    masked = _NUMBER.sub(lambda match: mask_number(match[0]), clean_text(masked[: length + 4096]))
    return masked[:length]


def mask_words(text: object, *secrets: str | None, length: int = MAX_TEXT) -> str:
    """The same for words of the provider's that may hold a code which nobody here knows."""
    return _CODE.sub(_HIDDEN, mask_text(text, *secrets, length=length))


def mask_number(number: str) -> str:
    """Only the last two digits: ``*********67``."""
    digits = _digits(number)
    return "*" * max(len(digits) - 2, 3) + digits[-2:]


def mask_payload(payload: Mapping[Any, Any], *secrets: str | None) -> dict[str, Any]:
    """A flat copy of an object of the provider's, bounded and safe to keep: ``{"id": "1234",
    "number": "***67"}``.
    """
    kept: dict[str, Any] = {}
    items = list(payload.items())[:MAX_KEYS]
    own = next(
        (
            _digits(str(value)[:64])
            for name, value in items
            if str(name)[:64].strip().casefold() == "number"
        ),
        "",
    )
    for name, value in items:
        key = name if name in _PLAIN_KEYS else mask_words(name, *secrets, length=64)
        kept[key] = _mask_value(key.strip().casefold(), value, own, secrets)
    return kept


def _mask_value(key: str, value: Any, own: str, secrets: tuple[str | None, ...]) -> Any:
    if any(word in key for word in _SECRET_KEYS) and key != "error_code":
        return _HIDDEN
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (dict, list)):
        return _HIDDEN if key == "number" else f"({type(value).__name__} of {len(value)})"
    if key == "number":
        return mask_number(mask_text(value, *secrets, length=64))
    if key == "id":
        return _mask_id(value, own, secrets)
    if key == "date" and DATE.fullmatch(str(value)[:64].strip()):
        return str(value).strip()
    return (
        mask_text(value, *secrets, length=64) if key in _KNOWN_KEYS else mask_words(value, *secrets)
    )


def _mask_id(value: Any, own: str, secrets: tuple[str | None, ...]) -> str:
    """An id of ten digits is no phone number, unless it is the one of its call."""
    text = clean_text(str(value)[:64])
    is_telling = len(own) > 6 and own in _digits(text)
    return (
        _HIDDEN
        if is_telling or any(secret and secret in str(value) for secret in secrets)
        else text
    )


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def mask(phone: str) -> str:
    """``79991234567`` as a person may see it: ``+7 *** ***-**-67``; other countries keep code and
    last two digits.
    """
    if not phone:
        return ""
    if len(phone) == 11 and phone.startswith("7"):
        return f"+7 *** ***-**-{phone[-2:]}"
    country, hidden = _split_country(phone)
    return f"+{country} {'*' * max(len(hidden) - 2, 3)}{phone[-2:]}"


def _split_country(phone: str) -> tuple[str, str]:
    try:
        country = str(phonenumbers.parse(f"+{phone}").country_code)
    except phonenumbers.NumberParseException:
        country = ""
    return country, phone[len(country) :]
