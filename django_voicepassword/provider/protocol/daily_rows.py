"""Rows of daily statistics, quickly: a day may have a million of them, and nearly everything in
them repeats.

A row becomes a lean tuple instead of a Report; what is odd goes the long way round, through
``parse_report``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.provider.protocol.reports import Report, parse_report
from django_voicepassword.security.masking import DATE, mask_number

#: Combinations of state, service, price and duration that are remembered, and characters of each
#: value.
_MOST_KNOWN, _LONGEST_KNOWN = 50_000, 64

_KEYS = ("id", "number", "date", "duration", "price", "service", "state")
_usual = itemgetter(*_KEYS)
_repeated = itemgetter("duration", "price", "service", "state")


class DailyRow(NamedTuple):
    """One row: the provider's figures of one call or SMS. ``date`` is naive, in the provider's
    zone; None: absent.
    """

    id: str
    number: str
    date: datetime | str | None
    is_sms: bool
    channel: str
    state: str | None
    raw_state: str
    duration: int | None
    price: Decimal | None
    service: str
    #: The row as JSON text, its number masked.
    payload: str

    def __repr__(self) -> str:
        return f"<DailyRow {self.id} {self.channel} {self.raw_state}>"


class RowReader:
    """Reads the rows of one day, its ``secret`` masked; what repeats in them is read once."""

    def __init__(self, secret: str = "") -> None:  # "": none  # nosec B107
        self._secret = secret or "\0"
        self._known: dict[Any, tuple[Any, ...]] = {}

    def read(self, values: Any) -> DailyRow:
        """One row. Raises UnreadableReply for what cannot be kept: no id, no number, neither a call
        nor an SMS.

        ``date`` of a row of the usual form is text as the provider wrote it, dd.mm.yyyy hh:mm:ss,
        not yet judged.
        """
        try:
            id, number, date, duration, price, service, state = _usual(values)
            known = self._known.get((duration, price, service, state))
            is_usual = (
                known is not None
                and len(values) == 7
                and id.isalnum()
                and id.isascii()
                and len(id) <= 64
                and number.isdigit()
                and number.isascii()
                and 10 <= len(number) <= 15
                and number not in id
                and self._secret not in id
                and DATE.fullmatch(date) is not None
            )
        except (KeyError, TypeError, AttributeError):
            is_usual, known = False, None
        if not is_usual or known is None:
            return self._read_slowly(values)
        is_sms, channel, word, raw, seconds, amount, sold, rest = known
        payload = f'{{"id": "{id}", "number": "***{number[-2:]}", "date": "{date}", {rest}'
        return DailyRow(
            id, number, date, is_sms, channel, word, raw, seconds, amount, sold, payload
        )

    def _read_slowly(self, values: Any) -> DailyRow:
        row = row_of(parse_report(values, self._secret))
        if len(self._known) < _MOST_KNOWN:
            try:
                repeated = _repeated(values)
            except (KeyError, TypeError):
                return row
            if all(isinstance(one, str) and len(one) <= _LONGEST_KNOWN for one in repeated):
                told = json.loads(row.payload)
                rest = (
                    _json({name: told[name] for name in _KEYS[3:]})[1:]
                    if set(told) >= set(_KEYS)
                    else None
                )
                if rest is not None:
                    # The first seven fields of what was read, without what is this row's alone.
                    self._known[repeated] = (*row[3:10], rest)
        return row


def row_of(report: Report) -> DailyRow:
    """A Report as a row. Raises UnreadableReply."""
    if not report.id:
        raise UnreadableReply("the row has no id")
    number = report.number or ""
    if not (number.isascii() and number.isdigit() and len(number) <= 15):
        raise UnreadableReply("the row has no number")
    kind = report.kind
    if kind is None:
        raise UnreadableReply("neither state nor service says whether it was a call or an SMS")
    known = report.state if report.state != vocabulary.OTHER else None
    payload: Mapping[str, Any] = report.raw or {"id": report.id, "number": mask_number(number)}
    return DailyRow(
        report.id,
        number,
        report.date,
        kind == "sms",
        vocabulary.channel_of(kind, report.service),
        known,
        report.raw_state or "",
        report.duration,
        report.price,
        report.service or "",
        _json(payload),
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
