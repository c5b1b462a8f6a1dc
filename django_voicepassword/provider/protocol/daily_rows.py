"""Fast reading of the rows of daily statistics.

A day may have a million rows, and nearly all values in them repeat. A row in the usual form becomes
a tuple directly. Any other row is parsed by ``parse_report``, with the same result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import NamedTuple

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import vocabulary
from django_voicepassword.provider.protocol.reports import Report, parse_report
from django_voicepassword.security.masking import DATE, mask

#: How many combinations of duration, price, service and state are cached, and how long each value
#: may be.
MAX_CACHED, MAX_CACHED_LENGTH = 50_000, 64

_KEYS = ("id", "number", "date", "duration", "price", "service", "state")
_repeating = itemgetter(*_KEYS[3:])
_all = itemgetter(*_KEYS)
# An id, a number and a date with a space between them, all of it safe in JSON text.
_USUAL_FORM = re.compile(rf"[0-9A-Za-z]{{1,64}} [0-9]{{10,15}} {DATE.pattern}", re.ASCII)


class Outcome(NamedTuple):
    """What many rows of a day have in common, and share as one object. None: absent."""

    #: None where neither the word nor the service says whether it was a call or an SMS. Then
    #: ``channel`` is empty.
    is_sms: bool | None
    #: Whether ``is_sms`` is more than a guess.
    is_kind_certain: bool
    channel: str
    state: str | None
    raw_state: str
    duration: int | None
    price: Decimal | None
    service: str


class DailyRow(NamedTuple):
    """The provider's figures of one call or SMS.

    ``date`` is a datetime, naive where the provider names no zone; or text in one of the forms of
    ``masking.DATE``, which may still be no valid date; or None.
    """

    id: str
    #: Empty where the row has no valid number.
    number: str
    date: datetime | str | None
    outcome: Outcome
    #: The row as JSON text, its number masked.
    payload: str

    def __repr__(self) -> str:
        return f"<DailyRow {self.id} {self.outcome.channel} {self.outcome.raw_state}>"

    @property
    def is_complete(self) -> bool:
        """Whether it can be imported. Another row can only be matched by its id."""
        return bool(self.number) and self.outcome.is_sms is not None


class RowReader:
    """Reads the rows of one day and masks ``secret``. Values that repeat are parsed once."""

    def __init__(self, secret: str = "") -> None:  # "": none  # nosec B107
        self._secret = secret or "\0"
        # (duration, price, service, state) -> their outcome, and the end of the payload's JSON.
        self._cache: dict[tuple[str, ...], tuple[Outcome, str]] = {}

    def read(self, values: object) -> DailyRow:
        """Read one row.

        Raises UnreadableReply for a row without an id.
        """
        if not isinstance(values, dict):
            return self._read_slowly(values)
        try:
            id, number, date, duration, price, service, state = _all(values)
            cached = self._cache.get((duration, price, service, state))
            is_usual = (
                cached is not None
                and len(values) == 7
                and number not in id
                and self._secret not in id
                and self._secret not in number
                and _USUAL_FORM.fullmatch(" ".join((id, number, date))) is not None
            )
        except (KeyError, TypeError):
            is_usual, cached = False, None
        if not is_usual or cached is None:
            return self._read_slowly(values)
        outcome, json_end = cached
        payload = f'{{"id": "{id}", "number": "{mask(number)}", "date": "{date}", {json_end}'
        # DailyRow(…) does the same and takes longer.
        return tuple.__new__(DailyRow, (id, number, date, outcome, payload))

    def _read_slowly(self, values: object) -> DailyRow:
        row = row_of(parse_report(values, self._secret))
        if isinstance(values, dict) and len(self._cache) < MAX_CACHED:
            self._remember(values, row)
        return row

    def _remember(self, values: dict[str, object], row: DailyRow) -> None:
        """Cache the values of a row that other rows may have too."""
        try:
            repeating = _repeating(values)
        except KeyError:
            return
        if not all(
            isinstance(value, str) and len(value) <= MAX_CACHED_LENGTH for value in repeating
        ):
            return
        payload = json.loads(row.payload)
        if set(payload) >= set(_KEYS):
            json_end = _json({name: payload[name] for name in _KEYS[3:]})[1:]
            self._cache[repeating] = (row.outcome, json_end)


def row_of(report: Report) -> DailyRow:
    """Turn a Report into a row. Raises UnreadableReply where ``RowReader.read`` would."""
    if not report.id:
        raise UnreadableReply("the row has no id")
    number = report.number or ""
    if not (number.isascii() and number.isdigit() and len(number) <= 15):
        number = ""
    kind = report.kind
    # A client of the host project's own may make Reports without ``raw``.
    payload = report.raw or {"id": report.id, "number": mask(number)}
    outcome = Outcome(
        is_sms=None if kind is None else kind == "sms",
        is_kind_certain=vocabulary.is_kind_certain(report.raw_state, report.service),
        channel=vocabulary.channel_of(kind, report.service) if kind else "",
        state=report.state if report.state != vocabulary.OTHER else None,
        raw_state=report.raw_state or "",
        duration=report.duration,
        price=report.price,
        service=report.service or "",
    )
    return DailyRow(report.id, number, report.moment, outcome, _json(payload))


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
