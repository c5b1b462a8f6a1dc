"""Single values as the provider writes them: numbers for strings, strings for numbers, two forms of
a date.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from django_voicepassword.security.masking import clean_text

_DATE_FORMS = ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DURATION = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})", re.ASCII)
_PRICE = re.compile(r"\d{1,8}(?:[.,]\d{1,8})?", re.ASCII)
# No exponent: 1e9999999 is short, and more than a Decimal can be reckoned with.
_AMOUNT = re.compile(r"[+-]?\d{1,10}(?:\.\d{1,12})?", re.ASCII)
_LONGEST_DURATION = 7 * 24 * 3600


def strip_keys(payload: dict[Any, Any]) -> dict[str, Any]:
    """Keys stripped and casefolded: the document itself has ``" message"``."""
    return {str(key).strip().casefold(): value for key, value in payload.items()}


def read_text(value: Any, length: int) -> str | None:
    """A short text, or a number as text; None for what is absent, empty or no scalar."""
    if value is None or isinstance(value, (bool, dict, list)):
        return None
    text = clean_text(str(value)[: 4 * length])[:length]
    return text or None


def _read_figure(value: Any, length: int) -> str | None:
    """As ``read_text``; None for what is longer, since a part of a figure is another figure."""
    if isinstance(value, str) and len(value) > 4 * length:
        return None
    text = read_text(value, length + 1)
    return text if text is not None and len(text) <= length else None


def read_price(value: Any) -> Decimal | None:
    """``"0.35"`` or ``0.35``, four decimal places at most; None for what is no amount of money."""
    text = _read_figure(value, 24)
    if text is None or not _PRICE.fullmatch(text):
        return None
    return _money(text.replace(",", "."), 10**8)


def read_amount(value: Any) -> Decimal | None:
    """A balance: it may be below zero, and grouped by spaces."""
    text = (_read_figure(value, 32) or "").replace(",", ".").replace(" ", "").replace("\xa0", "")
    return _money(text, 10**10) if _AMOUNT.fullmatch(text) else None


def read_duration(value: Any) -> int | None:
    """Seconds of ``"1"``, ``"00:04"`` (mm:ss) or ``"1:02:03"``."""
    match = _DURATION.fullmatch(_read_figure(value, 16) or "")
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= _LONGEST_DURATION else None


def read_date(value: Any) -> datetime | None:
    """``2020-02-02 15:18:48`` (callbacks) or ``11.09.2020 13:34:39`` (state, daily), naive: no zone
    is named.
    """
    text = _read_figure(value, 32) or ""
    for form in _DATE_FORMS:
        with suppress(ValueError):
            return datetime.strptime(text, form)
    return None


def _money(text: str, bound: int) -> Decimal | None:
    """Four decimal places, as the database keeps them; None for what is rounded up to ``bound``,
    which it does not hold.
    """
    amount = Decimal(text).quantize(Decimal("0.0001")).normalize() + Decimal("0.00")
    return amount if abs(amount) < bound else None
