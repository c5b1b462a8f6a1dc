"""The rows of LimitCounter: locked, read and written with as few statements as possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from django.db import connections, router
from django.db.models import Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from django_voicepassword.limits.rates import Entries, Events, to_milliseconds
from django_voicepassword.models import LimitCounter
from django_voicepassword.transactions import atomic_with_retry, retry

#: The events and the amount of a locked row.
Row = tuple[Events, Decimal]
#: The decimal places of an amount.
_PLACES = Decimal("0.0001")
#: Rows that one DELETE removes, so that it holds its row locks only briefly.
PURGE_BATCH = 1000
#: The kinds of rows that no purge deletes.
_PERMANENT = ("price", "alarm", "guard", "purged")


def lock(*keys: str) -> None:
    """Lock ``keys`` until the current transaction ends, waiting for one that holds any of them."""
    lock_rows(sorted(set(keys)), timezone.now())


def purge(before: datetime) -> int:
    """Delete the counters that were not used since ``before``, and return how many there were.

    Prices, raised alarms, what the guard knows and the moment of the last purge stay. ``before``
    must be longer ago than the longest period of any rate.
    """
    permanent = Q()
    for kind in _PERMANENT:
        permanent |= Q(key__startswith=f"{kind}:")
    unused = LimitCounter.objects.filter(updated_at__lt=before).exclude(permanent)
    deleted = 0
    while keys := list(unused.order_by("updated_at").values_list("pk", flat=True)[:PURGE_BATCH]):
        # Check ``updated_at`` again: a counter that was used since the SELECT must stay.
        deleted += retry(unused.filter(pk__in=keys).delete, database())[0]
    return deleted


def database() -> str:
    """Return the alias of the database that holds the counters."""
    return router.db_for_write(LimitCounter)


def lock_rows(keys: list[str], now: datetime) -> dict[str, Row]:
    """Lock the rows of ``keys`` and read them; a row that does not exist is inserted.

    ``keys`` must be sorted: two transactions that lock rows in the same order cannot deadlock.
    """
    rows = [(key, "{}", Decimal(0), now) for key in keys]
    columns = ("key", "events", "amount")
    returned: Iterable[tuple[str, str, Decimal]] | None = upsert(
        rows, update=("updated_at",), returning=columns
    )
    if returned is None:
        returned = (
            LimitCounter.objects.select_for_update().filter(key__in=keys).values_list(*columns)
        )
    return {key: (json.loads(events), exact(amount)) for key, events, amount in returned}


def exact(amount: object) -> Decimal:
    """Return an amount as its column means it: SQLite adds floats, and gets 0.30000000000000004."""
    return Decimal(str(amount)).quantize(_PLACES)


def read_rows(keys: Iterable[str]) -> dict[str, Row]:
    """Read the rows of ``keys`` that exist, as they are committed; nothing is locked."""
    rows = LimitCounter.objects.filter(key__in=keys).values_list("key", "events", "amount")
    return {key: (json.loads(events), exact(amount)) for key, events, amount in rows}


def count_from_now(keys: Iterable[str], now: datetime) -> None:
    """Move the events of ``keys`` that are in the future to ``now``, after the clock stepped back.

    Without this they would count until the clock has passed their times once more.
    """
    moment = to_milliseconds(now)
    rewrite_rows(keys, now, lambda entries: [[min(at, moment), count] for at, count in entries])


def rewrite_rows(keys: Iterable[str], now: datetime, change: Callable[[Entries], Entries]) -> None:
    """Lock the rows of ``keys`` and pass the entries of each of their rates through ``change``."""
    sorted_keys = sorted(keys)
    if not sorted_keys:
        return

    def rewrite() -> None:
        rows = lock_rows(sorted_keys, now).items()
        write_rows(
            [
                (key, {rate: change(entries) for rate, entries in events.items()}, amount)
                for key, (events, amount) in rows
            ],
            now,
        )

    atomic_with_retry(rewrite, database())


def write_rows(rows: Iterable[tuple[str, Events, Decimal]], now: datetime) -> None:
    """Write the events and the amount of each row. Call it in the transaction that locked them."""
    values = [
        (key, json.dumps(events, separators=(",", ":")), amount, now)
        for key, events, amount in sorted(rows)
    ]
    upsert(values, update=("events", "amount"))


def upsert(
    rows: list[tuple[str, str, Decimal, datetime]],
    update: tuple[str, ...],
    returning: tuple[str, ...] = (),
) -> list[tuple[str, str, Decimal]] | None:
    """Write all ``rows`` (key, events, amount, updated_at) with one INSERT … ON CONFLICT DO UPDATE.

    ``update`` names the columns that are written where a row exists. Return the ``returning``
    columns, or None where the database cannot return them from this statement.

    The SQL is written by hand because ``bulk_create(update_conflicts=True)`` of the ORM returns no
    columns, so that reading them would take a second query.
    """
    connection = connections[database()]
    meta = LimitCounter._meta
    names = ("key", "events", "amount", "updated_at")
    fields_by_name = {field.name: field for field in meta.concrete_fields}
    fields = [fields_by_name[name] for name in names]
    column = {field.name: field.column for field in fields}
    quote = connection.ops.quote_name
    conflict = connection.ops.on_conflict_suffix_sql(
        fields,
        OnConflict.UPDATE,
        [column[name] for name in update],
        [column["key"]],
    )
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    columns = ", ".join(map(quote, names))
    sql = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES {values} {conflict}"  # names only  # noqa: S608  # nosec B608
    can_return = connection.features.can_return_rows_from_bulk_insert
    if returning and can_return:
        sql += f" RETURNING {', '.join(map(quote, returning))}"
    parameters = [
        field.get_db_prep_save(value, connection)
        for row in rows
        for field, value in zip(fields, row, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        if returning and can_return:
            return list(cursor.fetchall())
    return None
