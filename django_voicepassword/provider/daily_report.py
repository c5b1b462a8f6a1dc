"""The statistics of one day: rows streamed from one response, in constant memory.

Needs no Django.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import ijson
import requests
from urllib3.exceptions import HTTPError

from django_voicepassword.exceptions import ProviderError, Unreachable, UnreadableReply
from django_voicepassword.provider import protocol
from django_voicepassword.provider.http_session import CHUNK
from django_voicepassword.provider.protocol import DailyRow, JsonGuard, Report
from django_voicepassword.security.masking import mask_payload
from django_voicepassword.security.tracebacks import clear_frames_while_iterating

#: How many of the rows that could not be read are kept, masked, so that staff can see them.
MAX_UNREADABLE_KEPT = 20

_SCALARS = frozenset({"string", "number", "boolean", "null"})
# Where a row starts: ``data`` is a list of rows, or a single row.
_ROW_STARTS = {("data", "start_map"), ("data.item", "start_map"), ("data.item", "start_array")}

Row = TypeVar("Row")


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class DailyReport:
    """The rows of one day. Iterate over it once; the attributes are complete afterwards.

    Iterating raises ProviderError.
    """

    def __init__(self, response: requests.Response, api_key: str) -> None:
        self._response = response
        self._api_key = api_key
        #: The number of rows that the provider announced; None where it announced none.
        self.rows: int | None = None
        self.read = 0
        self.unreadable = 0
        #: The first rows that could not be read, masked.
        self.unreadable_rows: list[dict[str, str | bool | None]] = []

    def __iter__(self) -> Iterator[Report]:
        return clear_frames_while_iterating(
            self._read_all(lambda row: protocol.parse_report(row, self._api_key))
        )

    def lean(self) -> Iterator[DailyRow]:
        """Iterate over tuples instead of Reports, which is many times faster."""
        return clear_frames_while_iterating(self._read_all(protocol.RowReader(self._api_key).read))

    def _read_all(self, read: Callable[[object], Row]) -> Iterator[Row]:
        """Parse each row with ``read``, and count the rows that it cannot parse."""
        fields: dict[str, object] = {}
        try:
            for value in self._rows(fields):
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
            # ArithmeticError: 1e99999999999999999999 is valid JSON, but no Decimal can hold it.
            raise UnreadableReply("the statistics are not complete JSON") from None
        finally:
            self._response.close()
        self._finish(fields)

    def _finish(self, fields: dict[str, object]) -> None:
        """Read what the response says beside its rows. Raises ProviderError."""
        announced = str(fields.get("rows", "")).strip()
        if announced.isascii() and announced.isdigit():
            self.rows = int(announced[:12])
        result = str(fields.get("result", "")).strip().casefold()
        if result == "error":
            protocol.raise_refusal(fields, self._api_key)
        if result != "ok":
            raise UnreadableReply('the statistics have neither result "ok" nor "error"')

    def _keep_unreadable(self, row: object) -> None:
        self.unreadable += 1
        if len(self.unreadable_rows) < MAX_UNREADABLE_KEPT:
            payload = row if isinstance(row, dict) else {"row": row}
            self.unreadable_rows.append(mask_payload(payload, self._api_key))

    def _rows(self, fields: dict[str, object]) -> Iterator[object]:
        """The values in ``data``, one by one. Puts the scalars beside it into ``fields``."""
        source = _Source(self._response.raw)
        if _starts_list(source.first, fields):
            # The usual form of a response: ijson builds whole rows in C.
            yield from ijson.items(source, "data.item", buf_size=CHUNK)
            _read_after_list(source.last, fields)
            return
        for key, value in _events(source):
            if key is None:
                yield value
            else:
                fields[key] = value


def _events(source: _Source) -> Iterator[tuple[str | None, object]]:
    """``(None, row)`` for each row in ``data``, ``(key, value)`` for each scalar beside it."""
    builder, row_prefix = None, ""
    for prefix, event, value in ijson.parse(source, buf_size=CHUNK):
        if builder is not None:
            builder.event(event, value)
            if prefix == row_prefix and event in ("end_map", "end_array"):
                yield None, builder.value
                builder = None
        elif (prefix, event) in _ROW_STARTS:
            builder, row_prefix = ijson.ObjectBuilder(), prefix
            builder.event(event, value)
        elif prefix == "data.item" and event in _SCALARS:
            yield None, value
        elif event in _SCALARS and "." not in prefix:
            yield prefix.strip().casefold(), value


class _Source:
    """A stream that keeps its first and last bytes: what is before and after the list of rows."""

    def __init__(self, raw: _Stream) -> None:
        self._raw = raw
        self._guard = JsonGuard()
        self.first = self._next()
        self._pending = self.first
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        chunk, self._pending = self._pending or self._next(), b""
        # Two chunks, because the end of the list may be in the last but one.
        self.last = (self.last + chunk)[-2 * CHUNK :]
        return chunk

    def _next(self) -> bytes:
        chunk = self._raw.read(CHUNK) or b""
        self._guard.look(chunk)
        return chunk


def _starts_list(first: bytes, fields: dict[str, object]) -> bool:
    """Whether ``data`` is a list that starts within ``first``.

    If so, the scalars before it are put into ``fields``.
    """
    events = ijson.sendable_list()
    parser = ijson.parse_coro(events)
    try:
        parser.send(first)
    except (ijson.JSONError, ValueError):
        pass
    scalars: dict[str, object] = {}
    for prefix, event, value in events:
        if prefix == "data" and event == "start_array":
            fields.update(scalars)
            return True
        if event in _SCALARS and prefix and "." not in prefix:
            scalars[prefix.strip().casefold()] = value
    return False


def _read_after_list(last: bytes, fields: dict[str, object]) -> None:
    """Put what follows the list into ``fields``: ``], "rows": "2"}``.

    The list ends at the last closing bracket.
    """
    remainder = last[last.rfind(b"]") + 1 :].strip().lstrip(b",")
    try:
        values = json.loads(b"{" + remainder)
    except ValueError:
        return
    fields.update({str(key).strip().casefold(): value for key, value in values.items()})
