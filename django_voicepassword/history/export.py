"""The call history as a file: CSV as a stream, XLSX into an open file; memory does not grow with
the rows.

Rows are read in chunks, each from where the last one ended: no cursor is held open, newer calls do
not move the rest, and MariaDB, whose driver fetches a whole answer at once, is not asked for one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from io import StringIO
from tempfile import TemporaryDirectory
from typing import IO, Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import get_format, number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.history import filters
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import masking
from django_voicepassword.security.sensitive import sensitive

CSV, XLSX = "csv", "xlsx"
CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
#: Rows read at once.
CHUNK = 2000
#: What a sheet of Excel holds, without the line of titles.
MOST_XLSX_ROWS = 1_048_575
#: Title, field (of the user its name), and how it is written: see ``Export._ways``.
_COLUMNS = [
    (gettext_lazy("created"), "created_at", "moment"),
    (gettext_lazy("phone"), "phone", "phone"),
    (gettext_lazy("channel"), "channel", "word"),
    (gettext_lazy("state"), "state", "word"),
    (gettext_lazy("error code"), "error_code", "text"),
    (gettext_lazy("verification"), "verification__status", "word"),
    (gettext_lazy("purpose"), "verification__purpose", "text"),
    (gettext_lazy("attempts"), "verification__attempts", "number"),
    (gettext_lazy("user"), "", "name"),
    (gettext_lazy("price"), "price", "price"),
    (gettext_lazy("duration, seconds"), "duration", "number"),
    (gettext_lazy("origin"), "origin", "word"),
    (gettext_lazy("provider id"), "provider_id", "text"),
    (gettext_lazy("service"), "service", "text"),
    (gettext_lazy("placed"), "placed_at", "moment"),
    (gettext_lazy("finished"), "finished_at", "moment"),
    (gettext_lazy("provider's date"), "occurred_at", "moment"),
    (gettext_lazy("listed by the provider"), "listed_at", "moment"),
    (gettext_lazy("difference"), "difference", "difference"),
]
#: Excel knows by it that the file is UTF-8.
_BOM = "\ufeff"
#: Where a program that opens the file would begin to calculate: also behind a comma or semicolon,
#: at which it may split a file that was written for the other one.
_FORMULA = re.compile(r"(^|[,;])(?=\s*[=+\-@＝＋－＠])")
_FIRST_DAY, _DAY = datetime(1899, 12, 30), timedelta(days=1)
_CENT = Decimal("0.01")

Row = list[Any]
Way = Callable[[Any], Any]
Progress = Callable[[int], None]


class TooManyRows(ValueError):
    """More than a sheet of Excel holds."""

    def __init__(self) -> None:
        told = _(
            "A sheet of Excel holds %(most)s rows, and these are more: choose CSV, or fewer rows."
        )
        super().__init__(told % {"most": number_format(MOST_XLSX_ROWS, force_grouping=True)})


def formats() -> list[str]:
    """The formats that can be written here: XLSX with XlsxWriter alone."""
    return [CSV, XLSX] if find_spec("xlsxwriter") is not None else [CSV]


class Export:
    """Calls as rows, newest first, in the language and zone that are active when it is made.

    ``calls``: not sliced; their order is not kept. ``whole_phones``: for who may see them; to note
    it is the caller's part.
    """

    def __init__(self, calls: QuerySet[CallRequest], whole_phones: bool = False) -> None:
        names = [
            name or f"verification__user__{get_user_model().USERNAME_FIELD}"
            for _title, name, _way in _COLUMNS
        ]
        # The first and the last value say where the next chunk begins.
        self._calls: Any = calls.order_by(*filters.order()).values_list(*names, "id")
        self._zone = timezone.get_current_timezone()
        self._decimal_sign = str(get_format("DECIMAL_SEPARATOR"))
        self._ways = self._ways_of(whole_phones)
        self.titles = [
            capfirst(f"{title} ({self._zone})" if way == "moment" else str(title))
            for title, _name, way in _COLUMNS
        ]

    def csv(self, progress: Progress | None = None) -> Iterator[bytes]:
        """The file, a chunk of rows at a time. Where the decimal sign is a comma, Excel splits at
        semicolons.
        """
        return iter(partial(_next, self._csv(progress)), None)

    def _csv(self, progress: Progress | None) -> Iterator[bytes]:
        file = StringIO()
        writer = csv.writer(file, delimiter=";" if self._decimal_sign == "," else ",")
        file.write(_BOM)
        writer.writerow(self.titles)
        # A phone begins with a plus, which Excel would take for a sum.
        ways: dict[str, Way] = {"phone": "'{}".format, "moment": str, "price": self._price}
        for chunk in self._chunks(ways, progress):
            writer.writerows(chunk)
            yield _taken(file)
        yield _taken(file)

    @method_decorator(sensitive)
    def xlsx(self, file: IO[bytes], progress: Progress | None = None) -> None:
        """Write it into ``file``. Raises TooManyRows."""
        import xlsxwriter

        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        # What XlsxWriter keeps meanwhile is gone whatever happens.
        with TemporaryDirectory() as folder:
            book = xlsxwriter.Workbook(file, {**options, "tmpdir": folder})
            sheet = book.add_worksheet()
            try:
                self._fill(book, sheet, progress)
            except BaseException:
                # To close the book would be to pack a file that nobody wants.
                sheet.row_data_fh.close()
                raise
            book.close()

    def _fill(self, book: Any, sheet: Any, progress: Progress | None) -> None:
        sheet.set_column(0, len(self.titles) - 1, 20)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, self.titles, book.add_format({"bold": True}))
        writes = _xlsx_writes(book, sheet)
        number = 0
        for chunk in self._chunks({"moment": _xlsx_moment}, progress):
            if number + len(chunk) > MOST_XLSX_ROWS:
                raise TooManyRows
            for row in chunk:
                number += 1
                for column, (write, cell) in enumerate(zip(writes, row, strict=True)):
                    if cell is not None and cell != "":
                        write(number, column, cell)
        sheet.autofilter(0, 0, number, len(self.titles) - 1)

    def _chunks(self, further: dict[str, Way], progress: Progress | None) -> Iterator[list[Row]]:
        """Rows, their values written in the ways of all files and then in the ``further`` ones of
        this.
        """
        cells = [_both(self._ways[way], further.get(way)) for _title, _name, way in _COLUMNS]
        rest, done = self._calls, 0
        while found := list(rest[:CHUNK]):
            yield [
                [cell(value) for cell, value in zip(cells, row[:-1], strict=True)] for row in found
            ]
            done += len(found)
            if progress is not None:
                progress(done)
            if len(found) < CHUNK:
                return
            rest = filters.after_cursor(self._calls, found[-1][0], found[-1][-1])

    def _ways_of(self, whole_phones: bool) -> dict[str, Way]:
        """How each kind of value becomes a text, a number, a moment or None."""
        kinds = (CallRequest.Channel, CallRequest.State, CallRequest.Origin, Verification.Status)
        words = {word: capfirst(str(label)) for kind in kinds for word, label in kind.choices}
        labels = {one.value: str(one.label) for one in CallRequest.Difference}
        differences = {
            told: ", ".join(label for bit, label in labels.items() if told & bit)
            for told in range(2 * max(labels))
        }
        return {
            "moment": self._moment,
            "phone": "+{}".format if whole_phones else masking.mask,
            "word": lambda word: words.get(word, word),
            "text": _harmless,
            # Many a project's user name is the phone number.
            "name": _harmless
            if whole_phones
            else lambda name: _harmless(masking.mask_text(name)) if name else "",
            "number": lambda number: number,
            "price": lambda price: price,
            "difference": lambda told: differences.get(told, ""),
        }

    def _moment(self, moment: datetime | None) -> datetime | None:
        """By the reader's clock, as files know no zone."""
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(self._zone)
        return None if moment is None else moment.replace(tzinfo=None, microsecond=0)

    def _price(self, price: Decimal) -> str:
        """As Excel of the language reads a number; without the zeros that the column has beyond two
        places.
        """
        short = price.quantize(_CENT)
        return str(short if short == price else price).replace(".", self._decimal_sign)


def _both(first: Way, second: Way | None) -> Way:
    """What is absent stays so."""
    if second is None:
        return first

    return lambda value: None if (value := first(value)) is None else second(value)


def _xlsx_writes(book: Any, sheet: Any) -> list[Callable[[int, int, Any], Any]]:
    """For each column what writes a cell of it: a text is no formula, a phone no number."""
    text = partial(
        _write, sheet.write_string, book.add_format({"num_format": "@", "quote_prefix": True})
    )
    numbers = {
        "moment": partial(
            _write, sheet.write_number, book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        ),
        "price": partial(_write, sheet.write_number, book.add_format({"num_format": "0.00##"})),
        "number": partial(_write, sheet.write_number, None),
    }
    return [numbers.get(way, text) for _title, _name, way in _COLUMNS]


def _write(write: Any, form: Any, row: int, column: int, cell: Any) -> None:
    write(row, column, cell, form)


def _xlsx_moment(moment: datetime) -> float:
    """As Excel counts: days since the last but one of 1899."""
    return (moment - _FIRST_DAY) / _DAY


def _harmless(text: str | None) -> str:
    """On one line, and no formula: what others wrote is not calculated."""
    if not text:
        return ""
    return _FORMULA.sub(r"\1'", text.strip() if text.isprintable() else masking.clean_text(text))


@sensitive
def _next(chunks: Iterator[bytes]) -> bytes | None:
    """A fault of a stream is reported by the server that sends it: without the rows."""
    return next(chunks, None)


def _taken(file: StringIO) -> bytes:
    taken = file.getvalue().encode()
    file.truncate(file.seek(0))
    return taken
