"""The statistics of a day: rows streamed out of one answer, in constant memory. Knows no Django."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import ijson
import requests
from urllib3.exceptions import HTTPError

from django_voicepassword import security
from django_voicepassword.exceptions import ProviderError, Unreachable, UnreadableReply
from django_voicepassword.provider import protocol
from django_voicepassword.provider.http_session import CHUNK
from django_voicepassword.provider.protocol import DailyRow, JsonGuard, Report
from django_voicepassword.security.tracebacks import clear_frames_while_iterating

#: Rows of daily statistics that could not be read and are kept, masked, to be shown.
MAX_UNREADABLE_KEPT = 20
_SCALARS = frozenset({"string", "number", "boolean", "null"})
Row = TypeVar("Row")
#: Where a row of ``daily`` begins: in the list, or in place of it.
_ROW_STARTS = {("data", "start_map"), ("data.item", "start_map"), ("data.item", "start_array")}


class DailyReport:
    """The rows of a day, streamed in constant memory. Iterate once; then ask what could not be
    read.
    """

    def __init__(self, response: requests.Response, api_key: str) -> None:
        self._response = response
        self._api_key = api_key
        #: How many rows the provider says there are; None where it does not say.
        self.rows: int | None = None
        self.read = 0
        self.unreadable = 0
        #: The first of the rows that could not be read, masked.
        self.unreadable_rows: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[Report]:
        return clear_frames_while_iterating(
            self._read_all(lambda row: protocol.parse_report(row, self._api_key))
        )

    def lean(self) -> Iterator[DailyRow]:
        """The same as tuples, many times as fast."""
        return clear_frames_while_iterating(self._read_all(protocol.RowReader(self._api_key).read))

    def _read_all(self, read: Callable[[Any], Row]) -> Iterator[Row]:
        """Each row as ``read`` makes it; what it cannot read is counted. Raises ProviderError."""
        head: dict[str, Any] = {}
        try:
            for value in self._rows(head):
                try:
                    row = read(value)
                except ProviderError:
                    self._keep_unreadable(value)
                else:
                    self.read += 1
                    yield row
        except (HTTPError, OSError):
            raise Unreachable(
                "the connection broke while the statistics were read", may_have_rung=False
            ) from None
        except (ijson.JSONError, ValueError, ArithmeticError):
            # ArithmeticError: 1e9 with another ten digits behind it is a number of JSON's, and of
            # nobody else's.
            raise UnreadableReply("the statistics are no complete JSON") from None
        finally:
            self._response.close()
        told = str(head.get("rows", "")).strip()
        if told.isascii() and told.isdigit():
            self.rows = int(told[:12])
        result = str(head.get("result", "")).strip().casefold()
        if result == "error":
            protocol.raise_refusal(head, self._api_key)
        if result != "ok":
            raise UnreadableReply('the statistics have neither result "ok" nor "error"')

    def _keep_unreadable(self, value: Any) -> None:
        self.unreadable += 1
        if len(self.unreadable_rows) < MAX_UNREADABLE_KEPT:
            raw = value if isinstance(value, dict) else {"row": value}
            self.unreadable_rows.append(security.mask_payload(raw, self._api_key))

    def _rows(self, head: dict[str, Any]) -> Iterator[Any]:
        """The values of ``data`` one by one; the scalars beside it go into ``head``."""
        source = _Source(self._response.raw)
        if _opens_list(source.first, head):
            # The usual form: whole rows are built in C.
            yield from ijson.items(source, "data.item", buf_size=CHUNK)
            _read_after_list(source.last, head)
            return
        for place, value in self._values(source):
            if place == "row":
                yield value
            else:
                head[place] = value

    def _values(self, source: _Source) -> Iterator[tuple[str, Any]]:
        """``("row", one row)`` for each of ``data``, and ``(key, value)`` for the scalars beside
        it.
        """
        builder, inside = None, ""
        for prefix, event, value in ijson.parse(source, buf_size=CHUNK):
            if builder is not None:
                builder.event(event, value)
                if prefix == inside and event in ("end_map", "end_array"):
                    yield "row", builder.value
                    builder = None
            elif (prefix, event) in _ROW_STARTS:
                builder, inside = ijson.ObjectBuilder(), prefix
                builder.event(event, value)
            elif prefix == "data.item" and event in _SCALARS:
                yield "row", value
            elif event in _SCALARS and "." not in prefix:
                yield prefix.strip().casefold(), value


class _Source:
    """A stream that keeps its first and its last bytes: what stands before and after the list of a
    day.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._guard = JsonGuard()
        self.first = self._next()
        self._pending = self.first
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        chunk, self._pending = self._pending or self._next(), b""
        # Two chunks: a list may end with the one before.
        self.last = (self.last + chunk)[-2 * CHUNK :]
        return chunk

    def _next(self) -> bytes:
        chunk: bytes = self._raw.read(CHUNK) or b""
        self._guard.look(chunk)
        return chunk


def _opens_list(first: bytes, head: dict[str, Any]) -> bool:
    """Does a list ``data`` begin within ``first``? The scalars before it go into ``head``."""
    events = ijson.sendable_list()
    reader = ijson.parse_coro(events)
    try:
        reader.send(first)
    except (ijson.JSONError, ValueError):
        pass
    scalars: dict[str, Any] = {}
    for prefix, event, value in events:
        if prefix == "data" and event == "start_array":
            head.update(scalars)
            return True
        if event in _SCALARS and prefix and "." not in prefix:
            scalars[prefix.strip().casefold()] = value
    return False


def _read_after_list(last: bytes, head: dict[str, Any]) -> None:
    """What stands behind the list: ``], "rows": "2"}``. The list itself ends at the last bracket."""
    rest = last[last.rfind(b"]") + 1 :].strip().lstrip(b",")
    try:
        values = json.loads(b"{" + rest)
    except ValueError:
        return
    head.update({str(key).strip().casefold(): value for key, value in values.items()})
