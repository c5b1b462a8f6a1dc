"""Removes secrets from the provider's text before it is stored, logged or shown.

Secrets are API keys, codes and whole phone numbers. ``mask`` has the only spelling of a masked
number. (RETENTION "mask" cuts the stored numbers themselves: see ``history.retention``.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

import phonenumbers

#: The longest text that is kept of one value, and how many values are kept of one payload.
MAX_TEXT, MAX_KEYS = 200, 30
#: The most bytes of a payload as JSON. What does not fit is left out, the usual keys last.
MAX_PAYLOAD = 2000

#: Stands for the number of a person who was erased (``voicepassword_person --erase``).
ERASED = "00000000000"
_HIDDEN = "***"
_RUSSIAN = "+7 *** ***-**-"
# A key that contains one of these words has a value that is never kept.
_SECRET_KEYS = ("code", "message", "apikey", "security", "authorization")
# The values of these keys may have four or more digits and still be no code.
_KNOWN_KEYS = ("price", "duration", "rows", "balance", "currency", "result")
#: The provider's usual keys, which need no masking themselves.
_PLAIN_KEYS = frozenset({"id", "number", "state", "date", "service", *_KNOWN_KEYS})
# Ten or more digits are a phone number, with up to three other characters between two of them.
_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,3}\d){9,}")
_SHORT_NUMBER = re.compile(r"\+?\d(?:[\W_]{0,3}\d){6,8}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# May be a code, in a text that has no reason to contain so many digits.
_CODE = re.compile(r"\d{4,}")
# What mask() returns.
_MASKED = re.compile(r"(?:\+7 \*{3} \*{3}-\*\*-|\+\d{1,3} \*{3,}|\*{3,})(?:\d\d?|\*\*)?")
# A number whose last four digits RETENTION "mask" has removed.
_RETAINED = re.compile(r"\d+\*{4}")
#: The forms of a date, which has as many digits as a phone number. Day and month are told apart by
#: the place of the year: 02/03/2020 is in March.
DATE = re.compile(
    r"(?:(?P<year>\d{4})(?P<dash>[-./])(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"|(?P<day_first>\d\d)(?P<dot>[-./])(?P<month_second>\d\d)(?P=dot)(?P<year_last>\d{4}))"
    r"(?:,? |[Tt])(?P<hour>\d\d?):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<zone>[Zz]|UTC|GMT|MSK|МСК|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)


def mask(phone: str) -> str:
    """Hide all of a phone number but its country code and last two digits: ``+7 *** ***-**-67``.

    Other countries have their code and one star for each hidden digit: ``+380 *******67``. Text
    that is no valid number shows neither its country code nor its length: ``***67``. A number that
    RETENTION "mask" has cut (``7999123****``) shows the country code alone. The empty text and a
    number that is masked already are returned unchanged.
    """
    if len(phone) == 11 and phone[0] == "7" and phone.isdecimal():
        # Nearly every number, so it is not parsed: that would slow down the daily sync many times.
        return f"{_RUSSIAN}{phone[-2:]}"
    if not phone or _MASKED.fullmatch(phone):
        return phone
    if phone == ERASED:
        return _HIDDEN
    digits = _digits(phone)
    ending = digits[-2:]
    if is_cut(phone):
        digits, ending = f"{digits}0000", "**"
    country = _country_code(digits)
    if country == "7":
        return f"{_RUSSIAN}{ending}"
    if country:
        return f"+{country} {'*' * max(len(digits) - len(country) - 2, 3)}{ending}"
    return f"{_HIDDEN}{ending}"


def _country_code(digits: str) -> str:
    """The country code of a valid number in international form; "" for any other digits."""
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        return ""
    return str(number.country_code) if phonenumbers.is_valid_number(number) else ""


def is_cut(phone: str) -> bool:
    """Whether RETENTION "mask" has removed the last digits of this number."""
    return _RETAINED.fullmatch(phone) is not None


def is_removed(phone: str) -> bool:
    """Whether a row no longer tells its number: RETENTION or an erasure has removed it."""
    return not phone.isdigit() or phone == ERASED


def has_number(text: str) -> bool:
    """Whether ``text`` has digits that may be a phone number, which ``mask_name`` would hide.

    A UUID is none, although one in ten has so many digits in a row.
    """
    return _NUMBER.search(text) is not None and not _UUID.fullmatch(text)


def clean_text(text: str) -> str:
    """Make one line of text without control characters and lone surrogates, for any database."""
    if text.isprintable():
        # Nearly every text; checking each character below takes twenty times as long.
        return text.strip()
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in text).strip()


def mask_text(text: object, *secrets: str | None, length: int = MAX_TEXT) -> str:
    """Remove ``secrets`` from ``text``, mask phone numbers, and cut the text to ``length``."""
    masked = str(text)
    # The longest first: a secret may be a part of another one.
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        masked = masked.replace(secret, _HIDDEN)
    # Cut before the search, so that nobody can make us search a megabyte. The additional length
    # leaves room for a number that begins within ``length``.
    masked = _NUMBER.sub(lambda match: mask(match[0]), clean_text(masked[: length + 4096]))
    return masked[:length].rstrip()


def mask_name(name: object) -> str:
    """Return how a user is shown to a reader who may not see whole numbers.

    In some projects the name of a user is a phone number, or contains one. A name that is nothing
    but a valid number is masked even where it has fewer than ten digits. A UUID is not masked.
    """
    text = str(name)
    if _UUID.fullmatch(text):
        return text
    if _SHORT_NUMBER.fullmatch(text) and _country_code(_digits(text)):
        return mask(text)
    return mask_text(text, length=254)


def mask_words(text: object, *secrets: str | None, length: int = MAX_TEXT) -> str:
    """Do what ``mask_text`` does, and hide every four digits or more: they may be a code.

    The provider's text may hold a code that it made itself and that this site does not know.
    """
    return _CODE.sub(_HIDDEN, mask_text(text, *secrets, length=length))


def mask_payload(
    payload: Mapping[str, object], *secrets: str | None
) -> dict[str, str | bool | None]:
    """A flat copy of a JSON object from the provider, bounded in size and without secrets:
    ``{"id": "1234", "number": "+7 *** ***-**-67"}``.
    """
    items = list(payload.items())[:MAX_KEYS]
    own_number = next((_digits(str(value)[:64]) for name, value in items if _is_number(name)), "")
    masked = {}
    for name, value in items:
        key = name if name in _PLAIN_KEYS else mask_words(name, *secrets, length=64)
        masked[key] = _mask_value(key.strip().casefold(), value, own_number, secrets)
    # A character has at most twelve bytes as JSON, and an item eight more.
    characters = sum(len(key) + len(str(value)) for key, value in masked.items())
    is_short = characters * 12 + MAX_KEYS * 8 < MAX_PAYLOAD
    return masked if is_short else _shorten(masked)


def _shorten(masked: dict[str, str | bool | None]) -> dict[str, str | bool | None]:
    """Leave out the items that make a payload longer than MAX_PAYLOAD."""
    left_out = set()
    size = 2
    for key in sorted(masked, key=lambda name: name not in _PLAIN_KEYS):
        # Two bytes more for the braces are as many as the comma between two items has.
        item_size = len(json.dumps({key: masked[key]}))
        if size + item_size > MAX_PAYLOAD:
            left_out.add(key)
        else:
            size += item_size
    return {key: value for key, value in masked.items() if key not in left_out}


def _is_number(name: object) -> bool:
    return str(name)[:64].strip().casefold() == "number"


def _mask_value(
    key: str, value: object, own_number: str, secrets: Sequence[str | None]
) -> str | bool | None:
    if any(word in key for word in _SECRET_KEYS) and key != "error_code":
        return _HIDDEN
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (dict, list)):
        return _HIDDEN if key == "number" else f"({type(value).__name__} of {len(value)})"
    text = str(value)
    if key == "number":
        return _HIDDEN if _has_secret(text, secrets) else mask(text) or _HIDDEN
    if key == "id":
        return _mask_id(text, own_number, secrets)
    if key == "date" and DATE.fullmatch(text.strip()):
        return text.strip()
    return (
        mask_text(text, *secrets, length=64) if key in _KNOWN_KEYS else mask_words(text, *secrets)
    )


def _mask_id(value: str, own_number: str, secrets: Sequence[str | None]) -> str:
    """Keep an id, even of ten digits or more, unless it contains the number of its own call."""
    text = clean_text(value[:64])
    has_number = len(own_number) > 6 and own_number in _digits(text)
    return _HIDDEN if has_number or _has_secret(value, secrets) else text


def _has_secret(text: str, secrets: Sequence[str | None]) -> bool:
    return any(secret and secret in text for secret in secrets)


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))
