"""Write values as text that a database reads faster than parameters of a statement.

PostgreSQL reads them by COPY. On MySQL they are literals of a statement: with parameters the driver
would look for a way to escape each of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from django.db.backends.base.base import BaseDatabaseWrapper

SqlValue: TypeAlias = str | int | None
#: A text without a character that MySQL's escaping knows, but for the quotation mark.
_HARMLESS = re.compile(r"[^'\\\x00-\x1f]*")
_COPY_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))


class Notation(NamedTuple):
    """How a row is written. ``mark`` stands around a text that needs no escaping."""

    null: str
    separator: str
    mark: str
    quote: Callable[[str], str]

    def line(self, values: tuple[SqlValue, ...]) -> str:
        """Return the values of a row as text."""
        return self.separator.join(map(self._written, values))

    def _written(self, value: SqlValue) -> str:
        if value is None:
            return self.null
        return str(value) if isinstance(value, int) else self.quote(value)


def notation_of(connection: BaseDatabaseWrapper) -> Notation:
    """Return the notation of COPY on PostgreSQL, and that of literals on MySQL."""
    if connection.vendor == "mysql":
        return Notation("NULL", ",", "'", _literal_quote(connection))
    return Notation("\\N", "\t", "", _quote_for_copy)


def _quote_for_copy(value: str) -> str:
    if not ("\\" in value or "\t" in value or "\n" in value or "\r" in value):
        return value
    for raw, escaped in _COPY_ESCAPES:
        value = value.replace(raw, escaped)
    return value


def _literal_quote(connection: BaseDatabaseWrapper) -> Callable[[str], str]:
    """Return a function that writes a text as a literal of MySQL, escaped by the driver."""
    driver = connection.connection

    def quote(value: str) -> str:
        # Nearly every text: PyMySQL would escape it in Python, character by character. Nothing else
        # has a meaning between apostrophes, in whatever SQL mode.
        if _HARMLESS.fullmatch(value):
            return f"'{value}'"
        if not hasattr(driver, "escape_string"):
            return str(driver.escape(value))
        # mysqlclient returns bytes, and PyMySQL up to 1.1 text, both without the quotes.
        escaped = driver.escape_string(value)
        return f"'{escaped.decode() if isinstance(escaped, bytes) else escaped}'"

    return quote
