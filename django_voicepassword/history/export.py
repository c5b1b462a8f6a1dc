"""Export the call history as CSV (a stream) or XLSX (into an open file), in constant memory.

Rows are read in chunks, and each chunk begins after the last row of the one before. So no database
cursor stays open, calls that are added meanwhile do not shift the rest, and MariaDB, whose driver
fetches a whole result at once, never has to return all rows.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from io import StringIO
from typing import IO, Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import get_format, number_format
from django.utils.translation import gettext as _

from django_voicepassword.history import cells, filters, xlsx
from django_voicepassword.history.cells import Cell, Converter
from django_voicepassword.models import CallRequest, money
from django_voicepassword.security.sensitive import sensitive

CSV, XLSX = "csv", "xlsx"
CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: Rows that one query reads.
CHUNK = 2000
#: The rows that a sheet of Excel can hold, without the row of titles.
MOST_XLSX_ROWS = 1_048_575
#: The byte order mark, by which Excel recognises UTF-8.
_BOM = "\ufeff"

#: Called with the number of rows written so far.
Progress = Callable[[int], None]


class TooManyRows(ValueError):
    """The export has more rows than a sheet of Excel can hold."""

    def __init__(self) -> None:
        message = _(
            "A sheet of Excel holds %(most)s rows, and these are more: choose CSV, or fewer rows."
        )
        super().__init__(message % {"most": number_format(MOST_XLSX_ROWS, force_grouping=True)})


def formats() -> list[str]:
    """Return the available formats. XLSX needs XlsxWriter."""
    return [CSV, XLSX] if find_spec("xlsxwriter") is not None else [CSV]


class Export:
    """Calls as rows of cells, newest first.

    The language and the time zone are those that are active when the object is created.

    ``calls`` must not be sliced; their order is replaced. ``whole_phones`` exports unmasked
    numbers: the caller checks the permission and writes the audit log.
    """

    def __init__(self, calls: QuerySet[CallRequest], whole_phones: bool = False) -> None:
        # created_at and id, the first and the last value, are the cursor of the next chunk.
        self._rows: QuerySet[CallRequest, tuple[Any, ...]] = calls.order_by(
            *filters.order()
        ).values_list(*cells.field_names(), "id")
        zone = timezone.get_current_timezone()
        self._decimal_sign = str(get_format("DECIMAL_SEPARATOR"))
        self._converters = cells.converters(zone, whole_phones)
        self.titles = cells.titles(zone)

    def csv(self, progress: Progress | None = None) -> Iterator[bytes]:
        """Return the file as a stream, a chunk of rows at a time.

        In languages with a decimal comma the separator is a semicolon, as Excel expects there.
        """
        return iter(partial(_next, self._csv_chunks(progress)), None)

    @method_decorator(sensitive)
    def xlsx(self, file: IO[bytes], progress: Progress | None = None) -> None:
        """Write the workbook into ``file``. Raises TooManyRows."""
        chunks = self._chunks({"moment": xlsx.excel_date}, progress)
        xlsx.write_workbook(file, self.titles, _limited(chunks))

    def _csv_chunks(self, progress: Progress | None) -> Iterator[bytes]:
        buffer = StringIO()
        writer = csv.writer(buffer, delimiter=";" if self._decimal_sign == "," else ",")
        buffer.write(_BOM)
        writer.writerow(self.titles)
        converters: dict[str, Converter] = {
            # Without the apostrophe Excel would read the plus as the beginning of a formula.
            "phone": "'{}".format,
            "moment": str,
            "price": self._price_text,
        }
        for chunk in self._chunks(converters, progress):
            writer.writerows(chunk)
            yield _drain(buffer)
        yield _drain(buffer)

    def _chunks(
        self, format_converters: dict[str, Converter], progress: Progress | None
    ) -> Iterator[list[list[Cell]]]:
        """Read the rows, converting each value for all formats and then for this one."""
        converters = [
            _chain(self._converters[column.kind], format_converters.get(column.kind))
            for column in cells.COLUMNS
        ]
        remaining, written = self._rows, 0
        while rows := list(remaining[:CHUNK]):
            yield [
                [convert(value) for convert, value in zip(converters, row[:-1], strict=True)]
                for row in rows
            ]
            written += len(rows)
            if progress is not None:
                progress(written)
            if len(rows) < CHUNK:
                return
            remaining = filters.after_cursor(self._rows, rows[-1][0], rows[-1][-1])

    def _price_text(self, price: Decimal) -> str:
        """Return a price as Excel of the language reads it."""
        return money.plain(price, self._decimal_sign)


def _chain(first: Converter, second: Converter | None) -> Converter:
    """Return a converter that applies both, and leaves None as it is."""
    if second is None:
        return first

    return lambda value: None if (value := first(value)) is None else second(value)


def _limited(chunks: Iterator[list[list[Cell]]]) -> Iterator[list[list[Cell]]]:
    """Pass the chunks on until a sheet is full. Raises TooManyRows."""
    rows = 0
    for chunk in chunks:
        rows += len(chunk)
        if rows > MOST_XLSX_ROWS:
            raise TooManyRows
        yield chunk


@sensitive
def _next(chunks: Iterator[bytes]) -> bytes | None:
    """Return the next chunk; None at the end.

    An error in a stream is reported by the server that sends it. ``sensitive`` clears the rows
    from the frames first.
    """
    return next(chunks, None)


def _drain(buffer: StringIO) -> bytes:
    """Return the content of the buffer, and empty it."""
    content = buffer.getvalue().encode()
    buffer.truncate(buffer.seek(0))
    return content
