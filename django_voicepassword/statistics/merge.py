"""Merge a chunk of the provider's rows into our tables, with a few SQL statements.

A chunk takes these steps, all in the transaction of the caller:

1. Load the rows into a temporary table (``loading``).
2. Match: join them with our calls, into a second temporary table (``row_matching``).
3. Update the matched calls that the rows change, and add a CallStatus for each.
4. Import the unmatched rows as new calls, and add a CallStatus for each.
5. Add the rows to the totals of the day (``totals``).

The statements are the same for all databases, except for the loading, the matching, the UPDATE with
a join, and PostgreSQL's WITH (INSERT … RETURNING).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from django_voicepassword.limits import recounts
from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments
from django_voicepassword.security.masking import ERASED
from django_voicepassword.statistics.loading import OUTCOMES, REPORTED, Loader
from django_voicepassword.statistics.pairing import Paired
from django_voicepassword.statistics.row_matching import MATCHED, RowMatching
from django_voicepassword.statistics.totals import Totals

_FINAL_PROGRESS = CallRequest.FINAL_PROGRESS
_STATUS_COLUMNS = "state, raw_state, source, occurred_at, received_at, duration, price, payload"
_UNMATCHED = f"{MATCHED} WHERE call_id IS NULL AND our_origin IS NULL"
#: The payload for a call of ours: of a number that was masked or erased, it would tell the last
#: digits.
_PAYLOAD_OF_OURS = (
    f"CASE WHEN ours.phone LIKE '%%*' OR ours.phone = '{ERASED}' "
    "THEN '{}' ELSE reported_payload END"
)


class Merge:
    """Merges the chunks of one run on one connection.

    ``now`` is the time of the run: new calls, reports and ``listed_at`` get it. ``day``,
    ``imported_since`` and ``erased_until`` are those of ``RowMatching``.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        now: datetime,
        day: tuple[datetime, datetime],
        imported_since: datetime | None = None,
        erased_until: datetime | None = None,
    ) -> None:
        self._connection = connection
        self._vendor = connection.vendor
        self._calls = connection.ops.quote_name(CallRequest._meta.db_table)
        self._statuses = connection.ops.quote_name(CallStatus._meta.db_table)
        self._loader = Loader(connection, now)
        self._now = self._loader.timestamp(now)
        self._matching = RowMatching(
            connection, self._loader.timestamp, now, day, imported_since, erased_until
        )

    def chunk(
        self,
        paired: Paired,
        moments: Moments,
        totals: Totals,
        meanwhile: Callable[[], None],
    ) -> None:
        """Merge one chunk, and add it to ``totals``. The caller has opened a transaction.

        ``meanwhile`` is called where the statements begin that take the database long.
        """
        with self._connection.cursor() as cursor:
            self._prepare(cursor)
            self._loader.load(cursor, paired.rows, moments)
            meanwhile()
            self._matching.match(cursor)
            totals.written += self._update(cursor)
            totals.newly_imported += (imported := self._import(cursor))
            totals.written += imported
            totals.add_rows(cursor)
            self._drop_tables(cursor)
        totals.add_unreadable(paired.unreadable)

    def _prepare(self, cursor: CursorWrapper) -> None:
        """Set what the transaction needs, and drop what is left of the temporary tables.

        On MySQL a rollback does not drop them. On PostgreSQL a pool such as PgBouncer may give us
        a session in which an older version of the app has left them.
        """
        self._drop_tables(cursor)
        if self._vendor == "postgresql":
            # The planner does not know the size of a temporary table, and would scan the whole
            # table of calls for each chunk.
            cursor.execute("SET LOCAL enable_seqscan = off")
            # With enable_seqscan off, cost estimates exceed jit_above_cost and every statement
            # would be JIT-compiled.
            cursor.execute("SET LOCAL jit = off")
            # A crash of the server may lose a committed chunk. The next run merges it again, and
            # DailyStatistics is written last, without this setting.
            cursor.execute("SET LOCAL synchronous_commit = off")

    def _drop_tables(self, cursor: CursorWrapper) -> None:
        """Drop the temporary tables that exist, and no table of the project with such a name."""
        # On MySQL, DROP TABLE without TEMPORARY would commit the transaction.
        temporary = "TEMPORARY " if self._vendor == "mysql" else ""
        schema = {"postgresql": "pg_temp.", "sqlite": "temp."}.get(self._vendor, "")
        for table in (REPORTED, OUTCOMES, MATCHED):
            cursor.execute(f"DROP {temporary}TABLE IF EXISTS {schema}{table}")

    def _update(self, cursor: CursorWrapper) -> int:
        """Update the matched calls that the rows change, and return how many there are.

        The provider's values replace ours. Each updated call gets a CallStatus, unless it has as
        many of the daily statistics as are kept.
        """
        cursor.execute(f"SELECT COUNT(*) FROM {MATCHED} WHERE is_changed = 1")  # noqa: S608  # nosec B608
        (changed,) = cursor.fetchone()
        if not changed:
            return 0
        cursor.execute(
            f"""
            INSERT INTO {self._statuses} (call_id, {_STATUS_COLUMNS})
            SELECT call_id, {self._status_values(_PAYLOAD_OF_OURS)}
            FROM {MATCHED} JOIN {self._calls} ours ON ours.id = call_id
            WHERE is_changed = 1 AND (ours.listed_at IS NULL OR {CallStatus.MOST_KEPT} > (
                SELECT COUNT(*) FROM {self._statuses} kept
                WHERE kept.call_id = ours.id AND kept.source = 'daily'
            ))
            """,  # noqa: S608  # nosec B608
            [self._now],
        )
        if cursor.rowcount < changed:
            recounts.note(timezone.now())
        is_final = f"reported_progress = {_FINAL_PROGRESS}"
        values = f"""
            state = CASE
                WHEN reported_state IS NOT NULL AND (reported_progress > our_progress OR {is_final})
                THEN reported_state ELSE state END,
            price = COALESCE(reported_price, price),
            duration = COALESCE(reported_duration, duration),
            service = CASE WHEN reported_service <> '' THEN reported_service ELSE service END,
            occurred_at = COALESCE(reported_at, occurred_at),
            finished_at = CASE WHEN {is_final} THEN COALESCE(finished_at, %s)
                ELSE finished_at END,
            next_poll_at = CASE WHEN {is_final} THEN NULL ELSE next_poll_at END,
            error_code = CASE WHEN {is_final} AND is_given_up = 1 THEN '' ELSE error_code END,
            difference = difference | new_difference,
            listed_at = COALESCE(listed_at, %s)
        """
        condition = f"{MATCHED}.call_id = {self._calls}.id AND is_changed = 1"
        if self._vendor == "mysql":
            update = f"UPDATE {self._calls}, {MATCHED} SET {values} WHERE {condition}"  # noqa: S608  # nosec B608
        else:
            update = f"UPDATE {self._calls} SET {values} FROM {MATCHED} WHERE {condition}"  # noqa: S608  # nosec B608
        cursor.execute(update, [self._now, self._now])
        return int(changed)

    def _status_values(self, payload: str = "reported_payload") -> str:
        """Return the values of ``_STATUS_COLUMNS``. The parameter is the time of the run."""
        if self._vendor == "postgresql":
            payload = f"CAST({payload} AS jsonb)"
        return (
            "COALESCE(reported_state, 'other'), reported_word, 'daily', reported_at, %s, "
            f"reported_duration, reported_price, {payload}"
        )

    def _import(self, cursor: CursorWrapper) -> int:
        """Insert the unmatched rows as calls, each with a CallStatus; return how many there are.

        They are requests that other systems have sent through the same account.
        """
        if self._vendor == "sqlite":
            return self._import_with_keys(cursor)
        insert_calls = self._insert_calls("", "")
        if self._vendor == "postgresql":
            # One statement: RETURNING gives the keys, so the table of calls is not searched again.
            cursor.execute(
                f"WITH imported AS ({insert_calls} RETURNING id, provider_id) "
                f"{self._insert_imported_statuses('imported')}",
                [self._now, self._now, self._now],
            )
            return int(cursor.rowcount)
        cursor.execute(f"SELECT COALESCE(MAX(id), 0) FROM {self._calls}")  # noqa: S608  # nosec B608
        (last_id,) = cursor.fetchone()
        cursor.execute(insert_calls, [self._now, self._now])
        imported = int(cursor.rowcount)
        if imported:
            new_calls = (
                f"(SELECT id, provider_id FROM {self._calls} "  # noqa: S608  # nosec B608
                "WHERE id > %s AND origin = 'imported') imported"
            )
            cursor.execute(self._insert_imported_statuses(new_calls), [self._now, last_id])
        return imported

    def _import_with_keys(self, cursor: CursorWrapper) -> int:
        """Do what ``_import`` does, on SQLite: while we write, nobody else can take a key."""
        cursor.execute(
            f"SELECT COALESCE(MAX(seq), 0) FROM (SELECT seq FROM sqlite_sequence WHERE name = %s "  # noqa: S608  # nosec B608
            f"UNION ALL SELECT MAX(id) FROM {self._calls})",
            [CallRequest._meta.db_table],
        )
        (last_id,) = cursor.fetchone()
        key = f"{int(last_id)} + 1 + ordinal"
        cursor.execute(self._insert_calls("id, ", f"{key}, "), [self._now, self._now])
        imported = int(cursor.rowcount)
        if imported:
            cursor.execute(
                f"INSERT INTO {self._statuses} (call_id, {_STATUS_COLUMNS}) "  # noqa: S608  # nosec B608
                f"SELECT {key}, {self._status_values()} FROM {_UNMATCHED}",
                [self._now],
            )
        return imported

    def _insert_calls(self, key_column: str, key: str) -> str:
        return f"""
            INSERT INTO {self._calls} (
                {key_column}phone, channel, state, provider_id, service, price, duration, origin,
                error_code, created_at, placed_at, finished_at, occurred_at,
                polls, code_digest, counted_address, lane, is_open, counted, listed_at, difference
            )
            SELECT {key}reported_phone, reported_channel, COALESCE(reported_state, 'placed'),
                reported_id, reported_service, reported_price, reported_duration, 'imported', '',
                COALESCE(reported_at, %s), reported_at,
                CASE WHEN reported_progress = {_FINAL_PROGRESS} THEN reported_at ELSE NULL END,
                reported_at, 0, '', '', 'unproven', FALSE, '', %s, 0
            FROM {_UNMATCHED} ORDER BY ordinal
        """  # noqa: S608  # nosec B608

    def _insert_imported_statuses(self, new_calls: str) -> str:
        """Return the statement that adds a CallStatus for each imported call.

        ``new_calls`` is a FROM clause. Keys grow in the order of the rows, so the k-th new call is
        that of the k-th row.
        """
        return f"""
            INSERT INTO {self._statuses} (call_id, {_STATUS_COLUMNS})
            SELECT numbered.id, {self._status_values()}
            FROM (
                SELECT {MATCHED}.*, ROW_NUMBER() OVER (ORDER BY ordinal) AS place
                FROM {_UNMATCHED}
            ) unmatched
            JOIN (
                SELECT id, provider_id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM {new_calls}
            ) numbered ON numbered.place = unmatched.place AND numbered.provider_id = reported_id
        """  # noqa: S608  # nosec B608
