"""The rows that count: locked, read and written by as few statements as the database allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db import connections, router, transaction
from django.db.models import Field, Q
from django.db.models.constants import OnConflict
from django.utils import timezone

from django_voicepassword.limits.rates import Events
from django_voicepassword.models import LimitCounter

#: The events and the amount of a locked row.
Row = tuple[Events, Decimal]
#: Rows that one statement deletes: no lock is held for long.
PURGE_BATCH = 1000


def lock(key: str) -> None:
    """Wait until no other transaction holds ``key``, and hold it to the end of this one."""
    lock_rows([key], timezone.now())


def purge(before: datetime) -> int:
    """Delete what has not been used since ``before``; the prices stay. Call it with more than the
    longest period.
    """
    kept = Q(key__startswith="price:") | Q(key__startswith="alarm:")
    unused = LimitCounter.objects.filter(updated_at__lt=before).exclude(kept)
    deleted = 0
    while keys := list(unused.order_by("updated_at").values_list("pk", flat=True)[:PURGE_BATCH]):
        # Asked again: what was used meanwhile counts.
        deleted += unused.filter(pk__in=keys).delete()[0]
    return deleted


def database() -> str:
    return router.db_for_write(LimitCounter)


def lock_rows(keys: list[str], now: datetime) -> dict[str, Row]:
    """Lock the rows of ``keys`` (sorted), making those that are not there, and read them."""
    rows = [(key, "{}", Decimal(0), now) for key in keys]
    columns = ("key", "events", "amount")
    returned: Iterable[tuple[str, str, Decimal]] | None = upsert(
        rows, update=("updated_at",), returning=columns
    )
    if returned is None:
        returned = (
            LimitCounter.objects.select_for_update().filter(key__in=keys).values_list(*columns)
        )
    return {key: (json.loads(events), Decimal(str(amount))) for key, events, amount in returned}


def rewrite_rows(
    keys: Iterable[str], now: datetime, change: Callable[[list[list[int]]], list[list[int]]]
) -> None:
    """Change the events of ``keys``, under their locks."""
    wanted = sorted(keys)
    if not wanted:
        return
    with transaction.atomic(using=database()):
        rows = lock_rows(wanted, now).items()
        write_rows(
            [
                (key, {text: change(one) for text, one in events.items()}, amount)
                for key, (events, amount) in rows
            ],
            now,
        )


def write_rows(rows: Iterable[tuple[str, Events, Decimal]], now: datetime) -> None:
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
    """One INSERT … ON CONFLICT of all ``rows``. None where this database cannot return what it
    wrote.

    Raw, because the ORM's ``bulk_create(update_conflicts=True)`` does not return columns and takes
    a second query.
    """
    connection = connections[database()]
    meta = LimitCounter._meta
    names = ("key", "events", "amount", "updated_at")
    fields = [cast("Field[Any, Any]", meta.get_field(name)) for name in names]
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
