"""Give back what was counted for a call: exactly that, and once.

A call keeps the names of the counters that counted it, and the rows where a counter has several
(``CallRequest.counted``, for example ``phone ip#1 site#12 block``). Whoever changes that text gives
back what it has taken out of it. The subjects follow from the call's number and address, and the
moment of the send tells the entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils import timezone

from django_voicepassword.limits import blocks
from django_voicepassword.limits.counters import Row, lock_rows, write_rows
from django_voicepassword.limits.rates import Events, parse_rate, remove_event, to_milliseconds
from django_voicepassword.limits.subjects import NUMBER, subject_of
from django_voicepassword.limits.uses import row_key
from django_voicepassword.models import CallRequest


def shared_keys(calls: Iterable[CallRequest]) -> list[str]:
    """Return the keys of the counters to which ``close_approved`` gives the sends back."""
    return [_Entry.parse(call, word).row for call in calls for word in _split(call.counted)[0]]


def close_approved(calls: Iterable[CallRequest], locked: Mapping[str, Row] | None = None) -> None:
    """Give the sends of an approved verification back to all limits but the number's own.

    Call it in the transaction that approves the verification. ``locked`` has the rows of
    ``shared_keys``, if the transaction has locked and read them already.
    """
    entries = []
    for call in calls:
        shared, own = _split(call.counted)
        if (shared or call.is_open) and call.close(" ".join(own)):
            entries += [_Entry.parse(call, word) for word in shared]
    _remove(entries, locked, is_approved=True)


def give_back(call: CallRequest) -> None:
    """Give a send that surely did not leave back to all limits. Call it in a transaction."""
    counted = call.read_counted()
    if call.close(""):
        entries = [_Entry.parse(call, word) for word in counted.split()]
        _remove(entries, None, is_approved=False)


@dataclass(frozen=True)
class _Entry:
    """What one word of ``CallRequest.counted`` means: where the event of a send was counted.

    Without ``rate`` it was counted in the same row at all rates.
    """

    name: str
    #: The key of the row.
    row: str
    rate: str
    sent_at: int

    @classmethod
    def parse(cls, call: CallRequest, word: str) -> _Entry:
        counter, _, rate = word.partition(":")
        name, _, row = counter.partition("#")
        key = f"{name}:{subject_of(name, call.phone, call.counted_address)}"
        return cls(
            name=name,
            row=row_key(key, int(row)) if row else key,
            rate=rate,
            sent_at=to_milliseconds(call.created_at),
        )

    def remove(self, events: Events, is_approved: bool) -> Events:
        if self.name == blocks.BLOCK:
            return blocks.close(events, self.sent_at, is_approved)
        return {
            rate: remove_event(entries, parse_rate(rate), self.sent_at)
            if self.rate in ("", rate)
            else entries
            for rate, entries in events.items()
        }


def _split(counted: str) -> tuple[list[str], list[str]]:
    """Return the words of the counters that others share, and those of the number's own."""
    words = counted.split()
    own = [word for word in words if word.partition("#")[0] in NUMBER]
    return [word for word in words if word not in own], own


def _remove(entries: list[_Entry], locked: Mapping[str, Row] | None, is_approved: bool) -> None:
    if not entries:
        return
    now = timezone.now()
    keys = sorted({entry.row for entry in entries})
    rows = lock_rows(keys, now) if locked is None else locked
    events = {key: rows[key][0] for key in keys}
    for entry in entries:
        events[entry.row] = entry.remove(events[entry.row], is_approved)
    write_rows([(key, events[key], rows[key][1]) for key in keys], now)
