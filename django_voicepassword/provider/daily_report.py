"""The statistics of one day: rows streamed from one response, in constant memory.

Needs no Django.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import ijson
import requests
from urllib3.exceptions import HTTPError

from django_voicepassword.exceptions import ProviderError, Unreachable, UnreadableReply
from django_voicepassword.provider import protocol
from django_voicepassword.provider.daily_stream import CONTAINER, DayStream, rows_of
from django_voicepassword.provider.protocol import DailyRow, Report
from django_voicepassword.security.masking import mask_payload
from django_voicepassword.security.tracebacks import clear_frames_while_iterating

#: How many of the rows that could not be read are kept, masked, so that staff can see them.
MAX_UNREADABLE_KEPT = 20

Row = TypeVar("Row")


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
            for value in rows_of(DayStream(self._response.raw), fields):
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
        announced = fields.get("rows")
        self.rows = protocol.read_count(announced)
        result = str(fields.get("result", "")).strip().casefold()
        if result == "error":
            protocol.raise_refusal(fields, self._api_key)
        if result != "ok":
            raise UnreadableReply('the statistics have neither result "ok" nor "error"')
        data = fields.get("data", None if self.rows == 0 else "absent")
        if data is not CONTAINER and data not in (None, "", False):
            raise UnreadableReply('the statistics have no rows under "data"')
        if not self.read and self.rows is None and announced not in (None, "", False):
            raise UnreadableReply('the statistics have no rows, and their "rows" is no number')
        check_rows(self.read, self.unreadable, self.rows)

    def _keep_unreadable(self, row: object) -> None:
        self.unreadable += 1
        if len(self.unreadable_rows) < MAX_UNREADABLE_KEPT:
            payload = row if isinstance(row, dict) else {"row": row}
            self.unreadable_rows.append(mask_payload(payload, self._api_key))


def check_rows(read: int, unreadable: int, announced: int | None) -> None:
    """Raise UnreadableReply for a day that has rows of which none was read.

    It would look like a day without calls.
    """
    if not read and (unreadable or announced):
        raise UnreadableReply(
            f"none of the {announced or unreadable} rows of the statistics can be read"
        )
