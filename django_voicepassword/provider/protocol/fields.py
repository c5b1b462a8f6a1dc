"""Parses single values.

The provider mixes numbers and strings, and writes dates in two forms. Other forms are read where
only one reading is possible.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from django_voicepassword.security.masking import DATE, clean_text

#: The provider's wall clock, where a date names its zone.
MOSCOW = timezone(timedelta(hours=3))
_DURATION = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})", re.ASCII)
# A figure, with or without a separator between groups of three digits. A single comma before three
# digits separates a group, unless it follows a zero; a single dot never does. No exponent:
# 1e9999999 is short, but exceeds the range of Decimal arithmetic.
_FIGURES = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<whole>[1-9]\d{0,2}(?P<group>[ ,'])\d{3}(?:(?P=group)\d{3})*)"
        r"(?:(?!(?P=group))[.,](?P<part>\d{1,12}))?",
        r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3})+),(?P<part>\d{1,12})",
        r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3}){2,})(?P<part>)",
        r"(?P<whole>\d{1,10})(?:[.,](?P<part>\d{1,12}))?",
    )
]
_CURRENCY = re.compile(r" ?(?:₽|р\.?|руб\.?|rub\.?|rur)$", re.IGNORECASE)
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
    """A price (``"0.35"``, ``0.35`` or ``"0,35 руб."``), rounded to four decimal places."""
    text = _without_currency(_read_figure(value, 24) or "")
    # A price has no sign.
    return None if text.startswith(("+", "-")) else _read_money(text, 10**8)


def read_amount(value: object) -> Decimal | None:
    """A balance, which may be negative: ``"-1,234.50"``, ``"1 234,50"`` or ``"999 руб."``."""
    text = _without_currency(_read_figure(value, 32) or "").replace("\u2212", "-")
    return _read_money(text, 10**10)


def read_count(value: object) -> int | None:
    """A number of rows: ``"1000"`` or ``"1 000"``."""
    amount = _read_money(_read_figure(value, 32) or "", 10**10)
    return int(amount) if amount is not None and amount >= 0 and amount % 1 == 0 else None


def read_duration(value: object) -> int | None:
    """The seconds of ``"1"``, ``"00:04"`` (mm:ss) or ``"1:02:03"``; at most seven days."""
    match = _DURATION.fullmatch(_read_figure(value, 16) or "")
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= _LONGEST_DURATION else None


def read_date(value: object) -> datetime | None:
    """A date: naive, or aware and in Moscow's time where the text names a zone.

    Callbacks have ``2020-02-02 15:18:48``, state and daily have ``11.09.2020 13:34:39``. Slashes,
    fractions of a second and zones are read too, and the seconds may be absent:
    ``02/03/2020 15:18:48.250 +03:00``, ``02.03.2020 15:18 МСК``.
    """
    match = DATE.fullmatch(_read_figure(value, 48) or "")
    if match is None:
        return None
    year = match["year"] or match["year_last"]
    month = match["month"] or match["month_second"]
    day = match["day"] or match["day_first"]
    microseconds = (match["fraction"] or "").ljust(6, "0")[:6]
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            int(microseconds),
            _read_zone(match["zone"]),
        )
        return moment.astimezone(MOSCOW) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _read_zone(name: str | None) -> timezone | None:
    """The zone of ``Z``, ``MSK``, ``МСК``, ``+03``, ``+0300``, ``+03:00`` or ``UTC+03:00``.

    Raises ValueError for an offset of a day or more.
    """
    if not name:
        return None
    if name in ("MSK", "МСК"):
        return MOSCOW
    digits = "".join(filter(str.isdigit, name)).ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if "-" in name else offset)


def _without_currency(text: str) -> str:
    return _CURRENCY.sub("", text)


def _read_money(text: str, bound: int) -> Decimal | None:
    sign = "-" if text.startswith("-") else ""
    unsigned = text[1:] if text.startswith(("+", "-")) else text
    for figure in _FIGURES:
        match = figure.fullmatch(unsigned)
        if match:
            whole = "".join(filter(str.isdigit, match["whole"]))
            return _money(f"{sign}{whole}.{match['part'] or 0}", bound)
    return None


def _money(text: str, bound: int) -> Decimal | None:
    """Round to the four decimal places of the database's columns.

    None if the result is not below ``bound``, since the column could not store it.
    """
    amount = Decimal(text).quantize(Decimal("0.0001")).normalize() + Decimal("0.00")
    return amount if abs(amount) < bound else None
