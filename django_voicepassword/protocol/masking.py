"""What of the provider's text may be kept or logged: everything but keys, codes and whole numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Longest text that is kept of one value, and how many values of one payload.
MAX_TEXT, MAX_KEYS = 200, 30

_HIDDEN = "***"
_SECRET_KEYS = ("code", "message", "apikey", "security", "authorization")
_KNOWN_KEYS = ("id", "price", "date", "duration", "rows", "balance", "currency", "result")
# Ten digits and more, whatever people put between them, are a phone number.
_NUMBER = re.compile(r"\+?\d(?:[\s().-]{0,3}\d){9,}")


def clean_text(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates, no control characters, one line."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in text).strip()


def mask_text(text: object, *secrets: str | None, length: int = MAX_TEXT) -> str:
    """``text`` without the ``secrets`` and without whole phone numbers, at most ``length`` characters."""
    # Cut before the work, with room for a secret that begins inside: nobody makes us search a megabyte.
    masked = str(text)[: length + 4096]
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        masked = masked.replace(secret, _HIDDEN)
    masked = _NUMBER.sub(lambda match: mask_number(match[0]), clean_text(masked))
    return masked[:length]


def mask_number(number: str) -> str:
    """Only the last two digits: ``*********67``."""
    digits = [character for character in number if character.isdigit()]
    return "*" * max(len(digits) - 2, 3) + "".join(digits[-2:])


def mask_payload(payload: Mapping[Any, Any], *secrets: str | None) -> dict[str, Any]:
    """A flat copy of an object of the provider's, bounded and safe to keep: ``{"id": "1234", "number": "***67"}``."""
    kept: dict[str, Any] = {}
    for name, value in list(payload.items())[:MAX_KEYS]:
        key = mask_text(name, *secrets, length=64)
        kept[key] = _mask_value(key.strip().casefold(), value, secrets)
    return kept


def _mask_value(key: str, value: Any, secrets: tuple[str | None, ...]) -> Any:
    if any(word in key for word in _SECRET_KEYS) and key != "error_code":
        return _HIDDEN
    if value is None or isinstance(value, bool):
        return value
    if key == "number":
        return mask_number(mask_text(value, *secrets, length=64)) if not isinstance(value, (dict, list)) else _HIDDEN
    if isinstance(value, (dict, list)):
        return f"({type(value).__name__} of {len(value)})"
    if key in _KNOWN_KEYS:
        # An id of ten digits is no phone number; the rest is short by nature.
        return clean_text(str(value)[:64])
    return mask_text(value, *secrets)
