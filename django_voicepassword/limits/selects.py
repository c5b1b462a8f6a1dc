"""The SELECTs of each start and of each call that is placed, written by hand.

The ORM takes several times as long to build them as the database takes to answer. They read rows
as they are committed, from the database that the counters are written to, and lock nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections, models

from django_voicepassword.limits.counters import database
from django_voicepassword.models import FraudTrip, LimitCounter

#: Key -> the columns ``events`` and ``updated_at`` of a counter.
Counters = dict[str, tuple[str, datetime]]
#: A row of ``trips_and_counters``.
Row = tuple[str, str, int, int, datetime]


def counters(keys: Sequence[str]) -> Counters:
    """Return the columns ``events`` and ``updated_at`` of the rows of ``keys`` that exist."""
    rows = _fetch(_counters_sql(database(), len(keys)), keys)
    return {key: (events, updated_at) for key, events, updated_at in rows}


def trips_and_counters(active_keys: Sequence[str], keys: Sequence[str]) -> list[Row]:
    """Return the open trips of ``active_keys``, and the counters of ``keys``, with one statement.

    A trip is its ``active_key``, ``mode``, ``threshold``, ``id`` and ``tripped_at``; a counter its
    ``key``, ``events``, twice 0 and ``updated_at``.
    """
    return _fetch(_trips_sql(database(), len(active_keys), len(keys)), [*active_keys, *keys])


def sums(ranges: Sequence[tuple[str, str]]) -> list[object]:
    """Return the sum of the column ``amount`` for each range of keys, with one statement.

    A range is its first key, and the first one after it. The sum is as the database gives it: None
    where no row exists.
    """
    sql = _sums_sql(database(), len(ranges))
    with connections[database()].cursor() as cursor:
        cursor.execute(sql, [key for bounds in ranges for key in bounds])
        found = dict(cursor.fetchall())
    return [found[number] for number in range(len(ranges))]


@lru_cache
def _counters_sql(using: str, keys: int) -> str:
    columns = _columns(using, LimitCounter, "key", "events", "updated_at")
    return f"SELECT {columns} {_source(using, LimitCounter, 'key', keys)}"  # nosec B608


@lru_cache
def _trips_sql(using: str, active_keys: int, keys: int) -> str:
    trip = _columns(using, FraudTrip, "active_key", "mode", "threshold", "id", "tripped_at")
    first = _columns(using, LimitCounter, "key", "events")
    last = _columns(using, LimitCounter, "updated_at")
    return (
        f"SELECT {trip} {_source(using, FraudTrip, 'active_key', active_keys)} UNION ALL "  # nosec B608
        f"SELECT {first}, 0, 0, {last} {_source(using, LimitCounter, 'key', keys)}"
    )


@lru_cache
def _sums_sql(using: str, ranges: int) -> str:
    key, amount = (_columns(using, LimitCounter, name) for name in ("key", "amount"))
    table = connections[using].ops.quote_name(LimitCounter._meta.db_table)
    # A collation of PostgreSQL may ignore punctuation. These operators compare characters, with the
    # index that Django makes for LIKE. A list of all keys in place of a range would have a young
    # table read as a whole.
    at_least, below = ("~>=~", "~<~") if connections[using].vendor == "postgresql" else (">=", "<")
    source = f"FROM {table} WHERE {key} {at_least} %s AND {key} {below} %s"
    sums = [f"SELECT {number}, SUM({amount}) {source}" for number in range(ranges)]  # nosec B608
    return " UNION ALL ".join(sums)


def _columns(using: str, model: type[models.Model], *names: str) -> str:
    """Return the columns of some fields, as SQL."""
    quote = connections[using].ops.quote_name
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    return ", ".join(quote(columns[name]) for name in names)


def _source(using: str, model: type[models.Model], name: str, values: int) -> str:
    """Return as SQL the table, and that the column of a field has one of so many values."""
    table = connections[using].ops.quote_name(model._meta.db_table)
    return f"FROM {table} WHERE {_columns(using, model, name)} IN ({', '.join(['%s'] * values)})"


def _fetch(sql: str, parameters: Sequence[str]) -> list[Any]:
    """Return the rows; their last column is a moment, as the ORM would return it."""
    connection = connections[database()]
    column = LimitCounter._meta.get_field("updated_at").cached_col
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        rows = cursor.fetchall()
    for convert in connection.ops.get_db_converters(column):
        rows = [(*row[:-1], convert(row[-1], column, connection)) for row in rows]
    return list(rows)
