"""Reads the JSON of a day as a stream, in constant memory and within bounds. Needs no Django.

``DayStream`` gives the bytes of the response, and ``rows_of`` the rows in them. The usual form is
``{"result": "ok", "rows": "2", "data": [{…}, {…}]}``. ``data`` may also be one row, or an object
whose values are rows, and the keys may be written in any case.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Protocol

import ijson

from django_voicepassword.exceptions import Unreachable, UnreadableReply
from django_voicepassword.provider.http_session import CHUNK
from django_voicepassword.provider.protocol import JsonGuard, Utf8Decoder

#: The bounds of a day: bytes, seconds, and bytes without a complete row.
MAX_DAY_BYTES, MAX_DAY_SECONDS, MAX_ROW_BYTES = 2**30, 600, 2**20

#: ``data`` in the fields of a day: it is a list or an object, whose rows were given.
CONTAINER = object()

_SCALARS = frozenset({"string", "number", "boolean", "null"})
_STARTS = frozenset({"start_map", "start_array"})
_ENDS = frozenset({"end_map", "end_array"})
# Closing brackets after the list of rows that are tried as its end.
_MOST_ENDS = 100


class _Raw(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class DayStream:
    """The bytes of a day in UTF-8, for ijson. It keeps those before and after the list of rows.

    Reading raises UnreadableReply where the day is too large, and Unreachable where it takes too
    long.
    """

    def __init__(self, raw: _Raw) -> None:
        self._raw = raw
        self._guard = JsonGuard()
        self._decoder = Utf8Decoder()
        self._ends_at = time.monotonic() + MAX_DAY_SECONDS
        self._size = 0
        self._since_row = 0
        self.first = self._next()
        self._pending = self.first
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        chunk, self._pending = self._pending or self._next(), b""
        self._since_row += len(chunk)
        if self._since_row > MAX_ROW_BYTES + CHUNK:
            raise UnreadableReply(f"the statistics have {MAX_ROW_BYTES} bytes without a row")
        # Two chunks, because the end of the list may be in the last but one.
        self.last = (self.last + chunk)[-2 * CHUNK :]
        return chunk

    def row_came(self) -> None:
        """Start to count the bytes of the next row."""
        self._since_row = 0

    def _next(self) -> bytes:
        """The next bytes; none at the end."""
        while chunk := self._read_chunk():
            self._guard.look(chunk)
            if decoded := self._decoder.decode(chunk):
                return decoded
        return self._decoder.decode(b"", is_last=True)

    def _read_chunk(self) -> bytes:
        """At least CHUNK bytes, fewer only at the end: what is before the rows must be in one."""
        chunk = b""
        # read1() returns the bytes that have arrived, so a slow server cannot keep us from checking
        # the time.
        while len(chunk) < CHUNK and (piece := self._raw.read1(CHUNK - len(chunk))):
            chunk += piece
            if time.monotonic() > self._ends_at:
                raise Unreachable(
                    f"the statistics take longer than {MAX_DAY_SECONDS} seconds",
                    may_have_rung=False,
                )
        self._size += len(chunk)
        if self._size > MAX_DAY_BYTES:
            raise UnreadableReply(f"the statistics are longer than {MAX_DAY_BYTES} bytes")
        return chunk


def rows_of(stream: DayStream, fields: dict[str, object]) -> Iterator[object]:
    """The rows of a day, one by one. Puts the values beside them into ``fields``.

    ``fields["data"]`` is CONTAINER if there is a list or an object of rows.
    """
    name = _find_list(stream.first, fields)
    if name is None:
        rows = _rows_of_other_form(stream, fields)
    else:
        # The usual form of a response: ijson builds whole rows in C.
        rows = ijson.items(stream, f"{name}.item", buf_size=CHUNK)
    for row in rows:
        stream.row_came()
        yield row
    if name is not None:
        _read_after_list(stream.last, fields)


def _find_list(first: bytes, fields: dict[str, object]) -> str | None:
    """The name of ``data``, as it is written, if it is a list that starts within ``first``.

    Then the scalars before it are put into ``fields``.
    """
    events = ijson.sendable_list()
    parser = ijson.parse_coro(events)
    try:
        parser.send(first)
    except (ijson.JSONError, ValueError):
        pass
    scalars: dict[str, object] = {}
    for prefix, event, value in events:
        key = _key(prefix)
        if key == "data" and event == "start_array":
            fields.update(scalars, data=CONTAINER)
            return str(prefix)
        if event in _SCALARS and key and "." not in key:
            scalars[key] = value
    return None


def _read_after_list(last: bytes, fields: dict[str, object]) -> None:
    """Put what follows the list into ``fields``: ``], "rows": "2", "warnings": []}``.

    The first closing bracket after which there is only the end of an object ends the list.
    """
    end = len(last)
    for _ in range(_MOST_ENDS):
        end = last.rfind(b"]", 0, end)
        if end < 0:
            break
        try:
            values = json.loads(b"{" + last[end + 1 :].strip().lstrip(b","))
        except ValueError:
            continue
        fields.update({_key(key): value for key, value in values.items()})


def _rows_of_other_form(stream: DayStream, fields: dict[str, object]) -> Iterator[object]:
    """The rows where ``data`` is an object, or a list that starts late."""
    reader = _OtherForm(fields)
    for event, value in ijson.basic_parse(stream, buf_size=CHUNK):
        yield from reader.take(event, value)


class _OtherForm:
    """Finds rows in the events of ijson."""

    def __init__(self, fields: dict[str, object]) -> None:
        self._fields = fields
        # How many objects and lists are open, and the last keys in the first two of them.
        self._depth = 0
        self._key = ""
        self._inner_key: object = ""
        # Whether it is not known yet if ``data`` is a row or has rows as values.
        self._is_undecided = False
        self._builder: Any = None
        self._row_depth = 0

    def take(self, event: str, value: object) -> Iterator[object]:
        """Take one event; the row that it completes, if any."""
        self._depth -= event in _ENDS
        if self._builder is not None:
            self._builder.event(event, value)
            if event in _ENDS and self._depth == self._row_depth:
                yield self._builder.value
                self._builder = None
        elif event == "map_key":
            self._keep_key(value)
        elif self._depth == 1 and event not in _ENDS:
            self._take_field(event, value)
        elif self._depth == 2 and self._key == "data" and event not in _ENDS:
            yield from self._take_item(event, value)
        self._depth += event in _STARTS

    def _keep_key(self, key: object) -> None:
        if self._depth == 1:
            self._key = _key(key)
        elif self._depth == 2:
            self._inner_key = key

    def _take_field(self, event: str, value: object) -> None:
        """Take a value of the document itself."""
        if event in _SCALARS:
            self._fields[self._key] = value
        elif self._key == "data":
            self._fields["data"] = CONTAINER
            self._is_undecided = event == "start_map"

    def _take_item(self, event: str, value: object) -> Iterator[object]:
        """Take a value in ``data``. If the first is a scalar, then ``data`` is a row itself."""
        is_scalar = event in _SCALARS
        if is_scalar and not self._is_undecided:
            yield value
            return
        self._builder = ijson.ObjectBuilder()
        self._row_depth = 1 if is_scalar else 2
        if is_scalar:
            self._builder.event("start_map", None)
            self._builder.event("map_key", self._inner_key)
        self._builder.event(event, value)
        self._is_undecided = False


def _key(key: object) -> str:
    """A key as it is compared: stripped and casefolded, as ``protocol`` does it."""
    return str(key).strip().casefold()
