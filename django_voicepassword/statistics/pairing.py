"""Decide which call a row of the statistics belongs to, where its id alone does not say so.

A call and the texts that followed it may share one id of the provider. The k-th row of an id then
belongs to our k-th call with that id: by channel, then by time. Most ids have one row and one call,
and ``merge`` matches those in SQL. The rows that need more are paired here: of an id with several
rows, with a word that says neither "call" nor "SMS", without a number, and to a number with a lost
call.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple, TypeAlias

from django.db import connections

from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.provider.dates import Moments
from django_voicepassword.provider.protocol import DailyRow
from django_voicepassword.statistics.alphabets import Alphabets
from django_voicepassword.statistics.lost_calls import LostCalls, match_lost_call, may_be_lost

#: The call of a row that belongs to none of our calls.
NO_CALL = 0
#: The bits of ``_Seen``, as a power of two, and the mask of a bit's number.
_BITS = 25
_PLACES = (1 << _BITS) - 1
#: Ids in one query: databases limit the number of parameters.
_IDS_PER_QUERY = 1000
#: An id, and whether its rows are about an SMS (None: they do not say so).
_Kind = tuple[str, bool | None]


#: A row and the primary key of its call: NO_CALL, or None where SQL finds it by the id.
PairedRow: TypeAlias = tuple[DailyRow, int | None]


class Paired(NamedTuple):
    """The rows of a chunk. ``unreadable`` rows are not complete and name none of our calls."""

    rows: list[PairedRow]
    unreadable: list[DailyRow]


class _Row(NamedTuple):
    row: DailyRow
    at: datetime | None


class _Call(NamedTuple):
    pk: int
    is_sms: bool
    #: When we sent it; of an imported call, the provider's date.
    at: datetime
    occurred_at: datetime | None
    is_listed: bool
    is_imported: bool
    #: Whether a row of another day was found for it.
    is_of_another_day: bool


class SortedChunk(NamedTuple):
    """The rows of a chunk: those that SQL matches, and the others by id.

    The others are in the order of time, those that are not complete last: a repeated run must not
    give them a call that was imported from a complete row.
    ``earlier`` counts the rows of the same id and kind in earlier chunks.
    """

    plain: list[DailyRow]
    others: dict[str, list[_Row]]
    earlier: dict[_Kind, int]


class Pairing:
    """Pairs the rows of one run, which come in chunks."""

    def __init__(self, lost: LostCalls, day: tuple[datetime, datetime], database: str) -> None:
        self._lost = lost
        self._day = day
        self._database = database
        self._alphabets = Alphabets(connections[database])
        self._seen = _Seen()
        # How many rows of an id and kind came, where there was more than one: memory must not grow
        # with the day.
        self._counts: dict[_Kind, int] = {}

    def sort(self, chunk: list[DailyRow], moments: Moments) -> SortedChunk:
        """Find the rows that SQL cannot match. Reads nothing from the database."""
        # Our calls have the ids as the database can store them.
        chunk = [row if row.id.isascii() else self._storable(row) for row in chunk]
        rows_of_id = Counter([row.id for row in chunk])
        plain: list[DailyRow] = []
        others: dict[str, list[_Row]] = defaultdict(list)
        earlier: dict[_Kind, int] = {}
        lost, see = self._lost, self._seen.add
        for row in chunk:
            kind = (row.id, row.outcome.is_sms)
            is_known = see(kind)
            is_single = rows_of_id[row.id] == 1 and not is_known
            is_clear = row.outcome.is_kind_certain and row.is_complete
            if is_single and is_clear and not (lost and may_be_lost(lost, row, moments)):
                plain.append(row)
                continue
            others[row.id].append(_Row(row, moments.aware(row.date)))
            came = self._counts.get(kind, int(is_known))
            earlier.setdefault(kind, came)
            if came:
                self._counts[kind] = came + 1
        for rows in others.values():
            rows.sort(key=lambda row: (not row.row.is_complete, _time_of_row(row)))
        return SortedChunk(plain, others, earlier)

    def _storable(self, row: DailyRow) -> DailyRow:
        return row._replace(id=self._alphabets.id(row.id))

    def pair(self, chunk: SortedChunk) -> Paired:
        """Find the calls of the other rows. May be repeated in a new transaction."""
        paired: list[PairedRow] = [(row, None) for row in chunk.plain]
        unreadable = []
        calls = self._calls(chunk.others)
        for id, rows in chunk.others.items():
            earlier = {is_sms: chunk.earlier.get((id, is_sms), 0) for is_sms in (False, True)}
            found = _Group(rows, calls[id]).pair(earlier)
            for index, (row, at) in enumerate(rows):
                call_id = found.get(index) or self._lost_call(row, at)
                if call_id == NO_CALL and not row.is_complete:
                    unreadable.append(row)
                else:
                    paired.append((row, call_id))
        return Paired(paired, unreadable)

    def _lost_call(self, row: DailyRow, at: datetime | None) -> int:
        is_sms = row.outcome.is_sms if row.outcome.is_kind_certain else None
        return match_lost_call(self._lost, row, is_sms, at, self._database) or NO_CALL

    def _calls(self, ids: Iterable[str]) -> dict[str, list[_Call]]:
        """Return our calls with these ids, in the order of time."""
        calls: dict[str, list[_Call]] = defaultdict(list)
        for batch in _batches(ids):
            rows = CallRequest.objects.using(self._database).filter(provider_id__in=batch)
            for call in rows.order_by("created_at", "id"):
                calls[call.provider_id].append(self._call(call))
        return calls

    def _call(self, call: CallRequest) -> _Call:
        begins, ends = self._day
        occurred_at = None if call.occurred_at is None else as_aware(call.occurred_at)
        is_listed = call.listed_at is not None
        is_today = occurred_at is None or begins <= occurred_at < ends
        return _Call(
            call.pk,
            call.channel == CallRequest.Channel.SMS,
            as_aware(call.claimed_at or call.created_at),
            occurred_at,
            is_listed,
            call.origin == CallRequest.Origin.IMPORTED,
            is_listed and not is_today,
        )


class _Group:
    """The rows of one id, as SortedChunk has them, and its calls in the order of time."""

    def __init__(self, rows: list[_Row], calls: list[_Call]) -> None:
        self._left = dict(enumerate(rows))
        self._free = list(calls)
        #: Index of the row -> primary key of its call.
        self.found: dict[int, int] = {}

    def pair(self, earlier: dict[bool, int]) -> dict[int, int]:
        """Pair as many rows as possible.

        ``earlier`` counts the rows of each kind that were paired in earlier chunks.
        """
        self._pair_same_dates()
        # Another day may have rows of the same id. Their calls are left alone, or come last.
        of_the_day = [c for c in self._free if not (c.is_imported and c.is_of_another_day)]
        of_the_day.sort(key=lambda call: call.is_of_another_day)
        self._free = _without_taken(of_the_day, earlier)
        for is_sms in (False, True):
            self._pair_kind(is_sms)
        uncertain = [index for index, row in self._left.items() if not _is_certain(row)]
        for index in sorted(uncertain, key=lambda index: _time_of_row(self._left[index])):
            if self._free:
                self._take(index, _choose(self._left[index], self._free, len(uncertain)))
        return self.found

    def _pair_same_dates(self) -> None:
        """Pair rows and calls with the same date.

        A run writes the date of the row into the call, so that a repeated run pairs the same.
        """
        for index, row in list(self._left.items()):
            same = [call for call in self._free if row.at and call.occurred_at == row.at]
            fitting = [call for call in same if call.is_sms == row.row.outcome.is_sms]
            if fitting or (same and not _is_certain(row)):
                self._take(index, (fitting or same)[0])

    def _pair_kind(self, is_sms: bool) -> None:
        """Pair the k-th row that certainly is of a kind with the k-th call of that kind."""
        certain = [index for index, row in self._left.items() if _is_certain(row, is_sms)]
        of_kind = [call for call in self._free if call.is_sms == is_sms]
        for index, call in zip(certain, of_kind, strict=False):
            self._take(index, call)

    def _take(self, index: int, call: _Call) -> None:
        self.found[index] = call.pk
        del self._left[index]
        self._free.remove(call)


def _is_certain(row: _Row, is_sms: bool | None = None) -> bool:
    """Return whether the row says its kind, and that it is ``is_sms`` if this is given."""
    outcome = row.row.outcome
    return outcome.is_kind_certain and (is_sms is None or outcome.is_sms == is_sms)


def _without_taken(calls: list[_Call], earlier: dict[bool, int]) -> list[_Call]:
    """Return the calls without those that the rows of earlier chunks have probably taken."""
    taken: list[_Call] = []
    for is_sms, number in earlier.items():
        of_kind = [call for call in calls if call.is_sms == is_sms]
        taken += sorted(of_kind, key=lambda call: not call.is_listed)[:number]
    return [call for call in calls if call not in taken]


def _choose(row: _Row, calls: list[_Call], rows: int) -> _Call:
    """Return the call of a row that does not say its kind.

    Where there are enough ``rows`` for all calls, the order decides, else the time.
    """
    at = row.at
    if at is None or rows >= len(calls):
        return calls[0]
    return min(calls, key=lambda call: abs(at - call.at))


def _time_of_row(row: _Row) -> tuple[bool, float]:
    return (row.at is not None, row.at.timestamp() if row.at else 0)


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    source = iter(ids)
    while batch := list(islice(source, _IDS_PER_QUERY)):
        yield batch


class _Seen:
    """Remembers which rows came, in 4 MiB for any number of them.

    It is a Bloom filter. It never forgets a row; of a million new rows, it takes about 3,000 for
    known ones, which costs them a query.
    """

    def __init__(self) -> None:
        self._bits = bytearray(1 << (_BITS - 3))

    def add(self, key: object) -> bool:
        """Add ``key``, and return whether it was there before."""
        # Written out for both bits, because a million rows come here.
        digest = hash(key)
        first, second = digest & _PLACES, digest >> _BITS & _PLACES
        byte, other, bit, other_bit = first >> 3, second >> 3, 1 << (first & 7), 1 << (second & 7)
        bits = self._bits
        if bits[byte] & bit and bits[other] & other_bit:
            return True
        bits[byte] |= bit
        bits[other] |= other_bit
        return False
