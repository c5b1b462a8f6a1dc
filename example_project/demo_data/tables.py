"""Bulk inserts, several times as fast as ``bulk_create``, which prepares each value separately.

PostgreSQL gets the rows by COPY, SQLite by ``executemany``, MariaDB by statements with many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

from django.db import connection, models

#: Most values in one statement.
MOST_VALUES = 4000

Row = Sequence[Any]


class Table:
    """Writes the columns ``names`` of a model; by default all that the database does not fill."""

    def __init__(self, model: type[models.Model], names: Sequence[str] = ()) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        own = [
            name
            for name, field in fields.items()
            if not (field.generated or isinstance(field, models.AutoField))
        ]
        self.names = list(names) or own
        #: Turns an instance of the model into a row.
        self.row: Callable[[Any], Row] = attrgetter(*self.names)
        # The app's table and column names need no quotes.
        self._name, self._key = model._meta.db_table, model._meta.pk.column
        self._columns = ", ".join(str(fields[name].column) for name in self.names)
        self._marks = f"({', '.join(['%s'] * len(self.names))})"
        self._adapters = [_adapter(fields[name]) for name in self.names]

    def insert(self, rows: Iterable[Row]) -> None:
        """Write rows whose values are in the order of ``names``."""
        if connection.vendor == "postgresql":
            self._copy(self._columns, self._adapted(rows))
            return
        with connection.cursor() as cursor:
            statement = f"INSERT INTO {self._name} ({self._columns}) VALUES {self._marks}"
            cursor.executemany(statement, list(self._adapted(rows)))

    def insert_returning_keys(self, rows: Sequence[Row]) -> list[Any]:
        """Write rows and return their new keys in the same order."""
        if connection.vendor == "postgresql":
            keys = self._next_keys(len(rows))
            self._copy(f"{self._key}, {self._columns}", map(_with_key, keys, self._adapted(rows)))
            return keys
        return [key for part in self._parts(rows) for key in self._insert_part(part)]

    def _parts(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        size = MOST_VALUES // len(self.names)
        return (rows[start : start + size] for start in range(0, len(rows), size))

    def _insert_part(self, rows: Sequence[Row]) -> list[Any]:
        marks = ", ".join([self._marks] * len(rows))
        statement = (
            f"INSERT INTO {self._name} ({self._columns}) VALUES {marks} RETURNING {self._key}"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, list(chain.from_iterable(self._adapted(rows))))
            return [key for (key,) in cursor.fetchall()]

    def _next_keys(self, count: int) -> list[Any]:
        """Take keys from the sequence, because COPY returns none."""
        statement = "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)"
        with connection.cursor() as cursor:
            cursor.execute(statement, [self._name, self._key, count])
            return [key for (key,) in cursor.fetchall()]

    def _copy(self, columns: str, rows: Iterable[Row]) -> None:
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {self._name} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def _adapted(self, rows: Iterable[Row]) -> Iterator[Row]:
        adapters = self._adapters
        return ([adapt(value) for adapt, value in zip(adapters, row, strict=True)] for row in rows)


def _with_key(key: Any, row: Row) -> Row:
    return [key, *row]


def _adapter(field: models.Field[Any, Any]) -> Callable[[Any], Any]:
    """Return a function that converts a value of the field for the database driver."""
    ops = connection.ops
    if isinstance(field, models.JSONField):
        return lambda value: ops.adapt_json_value(value, field.encoder)
    if connection.vendor == "postgresql":
        return _unchanged
    if isinstance(field, models.ForeignKey):
        return _adapter(field.target_field)
    if isinstance(field, models.DateTimeField):
        return ops.adapt_datetimefield_value
    if isinstance(field, models.DecimalField):
        # Cached, because there are few different prices.
        return cache(lambda value: field.get_db_prep_value(value, connection))
    if isinstance(field, models.UUIDField):
        return lambda value: field.get_db_prep_value(value, connection)
    return _unchanged


def _unchanged(value: Any) -> Any:
    return value
