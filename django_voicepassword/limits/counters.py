"""The rows of LimitCounter: locked, read and written with as few statements as possible."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connections, models, router
from django.db.models import Q, QuerySet
from django.db.models.constants import OnConflict
from django.utils import timezone

from django_voicepassword.limits.rates import Entries, Events, added_up, to_milliseconds
from django_voicepassword.models import LimitCounter
from django_voicepassword.transactions import atomic_with_retry, retry

#: The events and the amount of a locked row.
Row = tuple[Events, Decimal]
#: The decimal places of an amount.
_PLACES = Decimal("0.0001")
#: Rows that one DELETE removes, so that it holds its row locks only briefly.
PURGE_BATCH = 1000
#: The kinds of rows that no purge deletes.
_PERMANENT = ("price", "alarm", "guard", "purged", "erased", "recount", "beat")


def lock(*keys: str) -> None:
    """Lock ``keys`` until the current transaction ends, waiting for one that holds any of them."""
    lock_rows(sorted(set(keys)), timezone.now())


def purge(before: datetime) -> int:
    """Delete the counters that were not used since ``before``, and return how many there were.

    Prices, raised alarms, what the guard knows, the moments of the last purge, erasure and recount,
    and beat's heartbeat stay. ``before`` must be longer ago than the longest period of any rate.
    """
    rows = unused(before).order_by("key")
    deleted, last = 0, ""
    # In the order of the primary key: an index of ``updated_at`` would have to be written by each
    # send and each guess.
    while keys := list(rows.filter(key__gt=last).values_list("key", flat=True)[:PURGE_BATCH]):
        # Check ``updated_at`` again: a counter that was used since the SELECT must stay.
        deleted += retry(rows.filter(key__in=keys).delete, database())[0]
        last = keys[-1]
    return deleted


def unused(before: datetime) -> QuerySet[LimitCounter]:
    """Return the counters that ``purge`` deletes."""
    permanent = Q()
    for kind in _PERMANENT:
        permanent |= Q(key__startswith=f"{kind}:")
    return LimitCounter.objects.filter(updated_at__lt=before).exclude(permanent)


def database() -> str:
    """Return the alias of the database that holds the counters."""
    return router.db_for_write(LimitCounter)


def lock_rows(keys: list[str], now: datetime) -> dict[str, Row]:
    """Lock the rows of ``keys`` and read them; a row that does not exist is inserted.

    ``keys`` must be sorted: two transactions that lock rows in the same order cannot deadlock.
    """
    rows = [(key, "{}", Decimal(0)) for key in keys]
    columns = ("key", "events", "amount")
    returned: Iterable[tuple[str, str, Decimal]] | None = upsert(
        rows, now, update=("updated_at",), returning=columns
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
    rewrite_rows(
        keys,
        now,
        lambda entries: added_up((min(at, moment), count) for at, count in entries),
    )


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
        (key, json.dumps(events, separators=(",", ":")), amount)
        for key, events, amount in sorted(rows)
    ]
    upsert(values, now, update=("events", "amount"))


def upsert(
    rows: list[tuple[str, str, Decimal]],
    now: datetime,
    update: tuple[str, ...],
    returning: tuple[str, ...] = (),
) -> list[tuple[str, str, Decimal]] | None:
    """Write all ``rows`` (key, events, amount) with one INSERT … ON CONFLICT DO UPDATE.

    ``now`` is their ``updated_at``. ``update`` names the columns that are written where a row
    exists. Return the ``returning`` columns, or None where the database cannot return them from
    this statement.

    The SQL is written by hand because ``bulk_create(update_conflicts=True)`` of the ORM returns no
    columns, so that reading them would take a second query.
    """
    using = database()
    connection = connections[using]
    names = returning if connection.features.can_return_rows_from_bulk_insert else ()
    adapt = _field("amount").get_db_prep_save
    moment = _field("updated_at").get_db_prep_save(now, connection)
    parameters: list[Any] = []
    for key, events, amount in rows:
        # Texts are taken as they are.
        parameters += (key, events, adapt(amount, connection), moment)
    with connection.cursor() as cursor:
        cursor.execute(_upsert_sql(using, len(rows), update, names), parameters)
        return list(cursor.fetchall()) if names else None


@lru_cache
def _field(name: str) -> models.Field[Any, Any]:
    return next(field for field in LimitCounter._meta.concrete_fields if field.name == name)


@lru_cache
def _upsert_sql(using: str, rows: int, update: tuple[str, ...], returning: tuple[str, ...]) -> str:
    connection, meta = connections[using], LimitCounter._meta
    quote = connection.ops.quote_name
    fields = [_field(name) for name in ("key", "events", "amount", "updated_at")]
    conflict = connection.ops.on_conflict_suffix_sql(
        fields,
        OnConflict.UPDATE,
        [str(_field(name).column) for name in update],
        [str(_field("key").column)],
    )
    values = ", ".join(["(%s, %s, %s, %s)"] * rows)
    columns = ", ".join(quote(str(field.column)) for field in fields)
    sql = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES {values} {conflict}"  # names only  # noqa: S608  # nosec B608
    if returning:
        sql += f" RETURNING {', '.join(map(quote, returning))}"
    return sql
