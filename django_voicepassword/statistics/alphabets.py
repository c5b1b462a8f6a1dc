"""Charsets and collations: those of our columns, whatever the defaults of the database are.

A database may have been restored or converted, so that new tables get another charset or collation
than ours have. A text in a temporary table must have those of our column: else the two cannot be
compared, or the index of our column cannot be used. This concerns MySQL and MariaDB: elsewhere a
temporary table takes the charset of the database, and its collation gives way to that of our
column.
"""

from __future__ import annotations

import json

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.models.provider_text import mysql_charsets, storable

#: A character that only a charset of the whole Unicode has.
_RARE = "\N{GRINNING FACE}"
#: A text column of ours.
Column = tuple[type[Model], str]


def same_text(vendor: str, ours: str, reported: str) -> str:
    """Return the condition that two text columns are equal to the letter.

    A collation may ignore the case, accents, or spaces at the end. The first comparison uses the
    index.
    """
    if vendor == "mysql":
        return f"{ours} = {reported} AND CAST({ours} AS BINARY) = CAST({reported} AS BINARY)"
    return f"{ours} = {reported}"


class Alphabets:
    """The charsets and collations of our columns on one connection, read once for each run.

    The methods with the names of values return the value as its column can store it.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._charsets: dict[tuple[str, str], str] = {}
        self._clauses: dict[tuple[str, str], str] = {}
        if connection.vendor == "mysql":
            for model in (CallRequest, CallStatus):
                self._read(model._meta.db_table)
        #: Whether the column of payloads can store every character, as it usually can.
        self._has_all = self._storable(_RARE, CallStatus, "payload") == _RARE

    def clause(self, column: Column | None) -> str:
        """Return what follows the type of a text that belongs to ``column``."""
        if column is None:
            return ""
        # A column of MySQL's own JSON type has no charset. Its text is utf8mb4.
        usual = " CHARACTER SET utf8mb4" if self._connection.vendor == "mysql" else ""
        return self._clauses.get(_key(*column), usual)

    def id(self, text: str) -> str:
        return self._storable(text, CallRequest, "provider_id")

    def word(self, text: str) -> str:
        return self._storable(text, CallStatus, "raw_state")

    def service(self, text: str) -> str:
        return self._storable(text, CallRequest, "service")

    def payload(self, text: str) -> str:
        """JSON text has another spelling for every character, so nothing is lost."""
        if self._has_all or text.isascii() or self._storable(text, CallStatus, "payload") == text:
            return text
        return json.dumps(json.loads(text))

    def _storable(self, text: str, model: type[Model], field: str) -> str:
        charset = self._charsets.get(_key(model, field))
        return text if charset is None else storable(text, charset)

    def _read(self, table: str) -> None:
        for column, (charset, collation) in mysql_charsets(self._connection.alias, table).items():
            self._charsets[table, column] = charset
            self._clauses[table, column] = f" CHARACTER SET {charset} COLLATE {collation}"


def _key(model: type[Model], field: str) -> tuple[str, str]:
    return model._meta.db_table, field
