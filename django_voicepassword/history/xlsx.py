"""Write an exported call history as an XLSX workbook. It needs XlsxWriter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from django_voicepassword.history.cells import COLUMNS, Cell

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

#: Day 0 of Excel's calendar, and the unit of its numbers.
_DAY_0, _DAY = datetime(1899, 12, 30), timedelta(days=1)
#: Writes one cell: row, column, value.
CellWriter = Callable[[int, int, Cell], None]


def write_workbook(file: IO[bytes], titles: list[str], chunks: Iterable[list[list[Cell]]]) -> None:
    """Write a workbook of one sheet into ``file``, a chunk of rows at a time."""
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    # XlsxWriter keeps rows in files of this folder, which is removed in any case.
    with TemporaryDirectory() as folder:
        book = xlsxwriter.Workbook(file, {**options, "tmpdir": folder})
        sheet = book.add_worksheet()
        try:
            _fill(book, sheet, titles, chunks)
        except BaseException:
            # Not book.close(): it would pack a workbook that nobody needs.
            sheet.row_data_fh.close()
            raise
        book.close()


def excel_date(moment: datetime) -> float:
    """Return a moment as Excel stores it: the days since 30 December 1899."""
    return (moment - _DAY_0) / _DAY


def _fill(
    book: Workbook, sheet: Worksheet, titles: list[str], chunks: Iterable[list[list[Cell]]]
) -> None:
    sheet.set_column(0, len(titles) - 1, 20)
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, titles, book.add_format({"bold": True}))
    writers = _cell_writers(book, sheet)
    number = 0
    for chunk in chunks:
        for row in chunk:
            number += 1
            for column, (write, cell) in enumerate(zip(writers, row, strict=True)):
                if cell is not None and cell != "":
                    write(number, column, cell)
    sheet.autofilter(0, 0, number, len(titles) - 1)


def _cell_writers(book: Workbook, sheet: Worksheet) -> list[CellWriter]:
    """Return the writer of each column. Texts and phones never become formulas or numbers."""
    # quote_prefix: the cell stays text when somebody edits it.
    text = book.add_format({"num_format": "@", "quote_prefix": True})
    date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    price = book.add_format({"num_format": "0.00##"})
    write_text = partial(_write, sheet.write_string, text)
    number_writers = {
        "moment": partial(_write, sheet.write_number, date),
        "price": partial(_write, sheet.write_number, price),
        "number": partial(_write, sheet.write_number, None),
    }
    return [number_writers.get(column.kind, write_text) for column in COLUMNS]


def _write(
    write: Callable[..., Any], cell_format: Format | None, row: int, column: int, cell: Cell
) -> None:
    write(row, column, cell, cell_format)
