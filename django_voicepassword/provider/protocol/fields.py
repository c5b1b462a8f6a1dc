"""Parses single values. The provider mixes numbers and strings and writes dates in two forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from django_voicepassword.security.masking import clean_text

_DATE_FORMS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DURATION = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})", re.ASCII)
_PRICE = re.compile(r"\d{1,8}(?:[.,]\d{1,8})?", re.ASCII)
# No exponent: 1e9999999 is short, but exceeds the range of Decimal arithmetic.
_AMOUNT = re.compile(r"[+-]?\d{1,10}(?:\.\d{1,12})?", re.ASCII)
_LONGEST_DURATION = 7 * 24 * 3600


def strip_keys(payload: Mapping[str, object]) -> dict[str, object]:
    """Strip and casefold the keys: the provider's own document has ``" message"``."""
    return {str(key).strip().casefold(): value for key, value in payload.items()}


def read_text(value: object, length: int) -> str | None:
    """A string or number as text, cut to ``length``; None for an empty one and anything else."""
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    text = clean_text(str(value)[: 4 * length])[:length]
    return text or None


def _read_figure(value: object, length: int) -> str | None:
    """Like ``read_text``, but None for longer text: a part of a figure would be another figure."""
    if isinstance(value, str) and len(value) > 4 * length:
        return None
    text = read_text(value, length + 1)
    return text if text is not None and len(text) <= length else None


def read_price(value: object) -> Decimal | None:
    """A price (``"0.35"``, ``0.35`` or ``"0,35"``), rounded to four decimal places."""
    text = _read_figure(value, 24)
    if text is None or not _PRICE.fullmatch(text):
        return None
    return _money(text.replace(",", "."), 10**8)


def read_amount(value: object) -> Decimal | None:
    """A balance, which may be negative and may have spaces between groups of digits."""
    text = (_read_figure(value, 32) or "").replace(",", ".").replace(" ", "").replace("\xa0", "")
    return _money(text, 10**10) if _AMOUNT.fullmatch(text) else None


def read_duration(value: object) -> int | None:
    """The seconds of ``"1"``, ``"00:04"`` (mm:ss) or ``"1:02:03"``; at most seven days."""
    match = _DURATION.fullmatch(_read_figure(value, 16) or "")
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= _LONGEST_DURATION else None


def read_date(value: object) -> datetime | None:
    """A date, naive because the provider names no time zone.

    Callbacks have ``2020-02-02 15:18:48``, state and daily have ``11.09.2020 13:34:39``.
    """
    text = _read_figure(value, 32) or ""
    for form in _DATE_FORMS:
        with suppress(ValueError):
            return datetime.strptime(text, form)
    return None


def _money(text: str, bound: int) -> Decimal | None:
    """Round to the four decimal places of the database's columns.

    None if the result is not below ``bound``, since the column could not store it.
    """
    amount = Decimal(text).quantize(Decimal("0.0001")).normalize() + Decimal("0.00")
    return amount if abs(amount) < bound else None
