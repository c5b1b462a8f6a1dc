"""Merge a chunk of the provider's rows into our tables, with a few SQL statements.

A chunk takes these steps, all in the transaction of the caller:

1. Load the rows into a temporary table (``loading``).
2. Match: join them with our calls, into a second temporary table. ``pairing`` has found the calls
   of some rows. Another row is matched where one of our calls has its id and is an SMS if it is
   one; else it is unmatched.
3. Update the matched calls that the rows change, and add a CallStatus for each.
4. Import the unmatched rows as new calls, and add a CallStatus for each.
5. Add the rows to the totals of the day.

The statements are the same for all databases, except for the loading, the UPDATE with a join, and
PostgreSQL's LATERAL and WITH (INSERT … RETURNING).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.daily_report import MAX_UNREADABLE_KEPT
from django_voicepassword.provider.dates import Moments
from django_voicepassword.statistics.alphabets import same_text
from django_voicepassword.statistics.figures import exact_money
from django_voicepassword.statistics.loading import REPORTED, Loader, on_commit
from django_voicepassword.statistics.pairing import Paired

#: An unmatched row that is younger than this is left to the next run. It may be one of our calls
#: whose id is not stored yet, because the reply to our request is still on its way.
YOUNG = timedelta(minutes=5)
#: The temporary table of the rows and the calls that they match.
_MATCHED = "voicepassword_matched"
_FINAL_PROGRESS = CallRequest.FINAL_PROGRESS
_FINAL_STATES = ", ".join(f"'{state.value}'" for state in sorted(CallRequest.FINAL_STATES))
#: The columns of a CallStatus, and the values that a row gives them. The parameter is the time of
#: the run.
_STATUS_COLUMNS = "state, raw_state, source, occurred_at, received_at, duration, price, payload"
_STATUS_VALUES = (
    "COALESCE(reported_state, 'other'), reported_word, 'daily', reported_at, %s, "
    "reported_duration, reported_price, reported_payload"
)
#: The payload for a call of ours: of a number that retention has masked, it would tell the last
#: digits.
_PAYLOAD_OF_OURS = "CASE WHEN ours.phone LIKE '%%*' THEN '{}' ELSE reported_payload END"


@dataclass
class Totals:
    """The figures of a day, added up chunk by chunk."""

    price: Decimal = Decimal(0)
    #: Channel -> state -> number of rows.
    counts: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    matched: int = 0
    imported: int = 0
    mismatched: int = 0
    #: Calls that this run has updated or imported.
    written: int = 0
    #: The parts of the three figures that no earlier run has found.
    newly_matched: int = 0
    newly_imported: int = 0
    newly_mismatched: int = 0
    #: Rows that are not complete and name none of our calls, and the first of them, masked.
    unreadable: int = 0
    unreadable_rows: list[Any] = field(default_factory=list)


class Merge:
    """Merges the chunks of one run on one connection.

    ``now`` is the time of the run: new calls, reports and ``listed_at`` get it. ``day`` is the
    start of the day and that of the next, both aware. With ``imported_since``, unmatched rows
    before this aware datetime, and those without a date, are not imported.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        now: datetime,
        day: tuple[datetime, datetime],
        imported_since: datetime | None = None,
    ) -> None:
        self._connection = connection
        self._vendor = connection.vendor
        self._calls = connection.ops.quote_name(CallRequest._meta.db_table)
        self._statuses = connection.ops.quote_name(CallStatus._meta.db_table)
        self._loader = Loader(connection, now)
        self._now = self._loader.timestamp(now)
        self._young_since = self._loader.timestamp(now - YOUNG)
        self._day = [self._loader.timestamp(moment) for moment in day]
        self._imported_since = imported_since

    def chunk(self, paired: Paired, moments: Moments, totals: Totals) -> None:
        """Merge one chunk, and add it to ``totals``. The caller has opened a transaction."""
        with self._connection.cursor() as cursor:
            self._prepare(cursor)
            self._loader.load(cursor, paired.rows, moments)
            self._match(cursor)
            self._drop_young(cursor)
            self._mark_old(cursor)
            totals.written += self._update(cursor)
            totals.newly_imported += (imported := self._import(cursor))
            totals.written += imported
            self._add_to_totals(cursor, totals)
            self._drop_tables(cursor)
        totals.unreadable += len(paired.unreadable)
        room = MAX_UNREADABLE_KEPT - len(totals.unreadable_rows)
        totals.unreadable_rows += [json.loads(row.payload) for row in paired.unreadable[:room]]

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
        for table in (REPORTED, _MATCHED):
            cursor.execute(f"DROP {temporary}TABLE IF EXISTS {schema}{table}")

    def _match(self, cursor: CursorWrapper) -> None:
        """Create the table of matches: each row, its call, and what the row changes in it.

        - ``call_id`` is NULL for an unmatched row; ``our_…`` are the values of the call.
        - ``is_first`` is 1 where no earlier run found the call in the provider's statistics.
        - ``is_given_up`` is 1 where polling found no final state: ``CallRequest.is_given_up``.
        - ``new_difference`` is a sum of ``CallRequest.Difference``: the values that differ.
        - ``is_changed`` is 1 where the call must be updated.
        """
        progress = " ".join(
            f"WHEN '{state}' THEN {number}" for state, number in CallRequest.PROGRESS.items()
        )
        state, price, duration = (difference.value for difference in CallRequest.Difference)
        create = f"""
            CREATE TEMPORARY TABLE {_MATCHED} {on_commit(self._vendor)} AS
            SELECT compared.*,
                CASE WHEN call_id IS NOT NULL AND (
                    is_first = 1 OR new_difference > 0
                    OR (reported_state IS NOT NULL AND reported_progress > our_progress)
                    OR (reported_price IS NOT NULL AND our_price IS NULL)
                    OR (reported_duration IS NOT NULL AND our_duration IS NULL)
                ) THEN 1 ELSE 0 END AS is_changed
            FROM (
                SELECT reported.*, ours.id AS call_id,
                    ours.price AS our_price, ours.duration AS our_duration,
                    ours.origin AS our_origin, ours.difference AS our_difference,
                    COALESCE(ours.channel, reported.reported_channel) AS matched_channel,
                    CASE ours.state {progress} ELSE 0 END AS our_progress,
                    CASE WHEN ours.listed_at IS NULL THEN 1 ELSE 0 END AS is_first,
                    CASE WHEN ours.finished_at IS NOT NULL AND ours.state NOT IN ({_FINAL_STATES})
                        THEN 1 ELSE 0 END AS is_given_up,
                    CASE WHEN ours.state IN ({_FINAL_STATES})
                        AND reported.reported_progress = {_FINAL_PROGRESS}
                        AND ours.state <> reported.reported_state
                        THEN {state} ELSE 0 END
                    + CASE WHEN ours.price <> reported.reported_price
                        THEN {price} ELSE 0 END
                    + CASE WHEN ours.duration <> reported.reported_duration
                        THEN {duration} ELSE 0 END AS new_difference
                FROM {self._matched_rows()}
            ) compared
        """  # noqa: S608  # nosec B608
        cursor.execute(create, self._day)

    def _matched_rows(self) -> str:
        """Return the FROM clause that joins each row (``reported``) with its call (``ours``).

        Of several calls with the id of a row that is not paired, the one with the same date is
        taken, else the first that no run has found, else the first. A row without a date belongs to
        the first: no later run could tell which call it has found. A call that was imported from
        the row of another day is left alone: two days may have rows of one id.
        """
        same = (
            f"paired_id IS NULL AND "
            f"{same_text(self._vendor, 'candidate.provider_id', 'reported_id')} "
            "AND CASE WHEN candidate.channel = 'sms' THEN 1 ELSE 0 END = is_sms "
            "AND (candidate.origin = 'app' OR candidate.occurred_at IS NULL "
            "OR candidate.occurred_at = reported_at "
            "OR (candidate.occurred_at >= %s AND candidate.occurred_at < %s))"
        )
        if self._vendor == "postgresql":
            first = f"""
                SELECT candidate.* FROM {self._calls} candidate WHERE {same}
                ORDER BY CASE WHEN candidate.occurred_at = reported_at THEN 0
                    WHEN candidate.listed_at IS NULL OR reported_at IS NULL THEN 1 ELSE 2 END,
                    candidate.id
                LIMIT 1
            """  # noqa: S608  # nosec B608
            paired = f"SELECT paired.* FROM {self._calls} paired WHERE paired.id = paired_id"  # noqa: S608  # nosec B608
            return (
                f"{REPORTED} reported "
                f"LEFT JOIN LATERAL (({first}) UNION ALL ({paired})) ours ON true"
            )
        # SQLite knows no column of an outer query in ORDER BY.
        first = f"""
            SELECT COALESCE(
                MIN(CASE WHEN candidate.occurred_at = reported_at THEN candidate.id END),
                MIN(CASE WHEN candidate.listed_at IS NULL OR reported_at IS NULL
                    THEN candidate.id END),
                MIN(candidate.id)
            ) FROM {self._calls} candidate WHERE {same}
        """  # noqa: S608  # nosec B608
        return (
            f"(SELECT {REPORTED}.*, COALESCE(paired_id, ({first})) AS call_key FROM {REPORTED}) "  # noqa: S608  # nosec B608
            f"reported LEFT JOIN {self._calls} ours ON ours.id = reported.call_key"
        )

    def _drop_young(self, cursor: CursorWrapper) -> None:
        """Drop the unmatched rows that are left to the next run: see ``YOUNG``."""
        cursor.execute(
            f"DELETE FROM {_MATCHED} WHERE call_id IS NULL AND reported_at >= %s",  # noqa: S608  # nosec B608
            [self._young_since],
        )

    def _mark_old(self, cursor: CursorWrapper) -> None:
        """Mark the unmatched rows that are too old to be imported: their ``our_origin`` is "old".

        They still count as rows of the day.
        """
        if self._imported_since is not None:
            cursor.execute(
                f"UPDATE {_MATCHED} SET our_origin = 'old' "  # noqa: S608  # nosec B608
                "WHERE call_id IS NULL AND (reported_at IS NULL OR reported_at < %s)",
                [self._loader.timestamp(self._imported_since)],
            )

    def _update(self, cursor: CursorWrapper) -> int:
        """Update the matched calls that the rows change, and return how many there are.

        The provider's values replace ours. Each updated call gets a CallStatus, unless it has as
        many of the daily statistics as are kept.
        """
        cursor.execute(f"SELECT COUNT(*) FROM {_MATCHED} WHERE is_changed = 1")  # noqa: S608  # nosec B608
        (changed,) = cursor.fetchone()
        if not changed:
            return 0
        cursor.execute(
            f"""
            INSERT INTO {self._statuses} (call_id, {_STATUS_COLUMNS})
            SELECT call_id, {_STATUS_VALUES.replace("reported_payload", _PAYLOAD_OF_OURS)}
            FROM {_MATCHED} JOIN {self._calls} ours ON ours.id = call_id
            WHERE is_changed = 1 AND (ours.listed_at IS NULL OR {CallStatus.MOST_KEPT} > (
                SELECT COUNT(*) FROM {self._statuses} kept
                WHERE kept.call_id = ours.id AND kept.source = 'daily'
            ))
            """,  # noqa: S608  # nosec B608
            [self._now],
        )
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
        condition = f"{_MATCHED}.call_id = {self._calls}.id AND is_changed = 1"
        if self._vendor == "mysql":
            update = f"UPDATE {self._calls}, {_MATCHED} SET {values} WHERE {condition}"  # noqa: S608  # nosec B608
        else:
            update = f"UPDATE {self._calls} SET {values} FROM {_MATCHED} WHERE {condition}"  # noqa: S608  # nosec B608
        cursor.execute(update, [self._now, self._now])
        return int(changed)

    def _import(self, cursor: CursorWrapper) -> int:
        """Insert the unmatched rows as calls, each with a CallStatus; return how many there are.

        They are requests that other systems have sent through the same account.
        """
        insert_calls = f"""
            INSERT INTO {self._calls} (
                phone, channel, state, provider_id, service, price, duration, origin, error_code,
                created_at, placed_at, finished_at, occurred_at,
                polls, code_digest, counted_address, device, listed_at, difference
            )
            SELECT reported_phone, reported_channel, COALESCE(reported_state, 'placed'),
                reported_id, reported_service, reported_price, reported_duration, 'imported', '',
                COALESCE(reported_at, %s), reported_at,
                CASE WHEN reported_progress = {_FINAL_PROGRESS} THEN reported_at ELSE NULL END,
                reported_at, 0, '', '', FALSE, %s, 0
            FROM {_MATCHED} WHERE call_id IS NULL AND our_origin IS NULL
            ORDER BY ordinal
        """  # noqa: S608  # nosec B608
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

    def _insert_imported_statuses(self, new_calls: str) -> str:
        """Return the statement that adds a CallStatus for each imported call.

        ``new_calls`` is a FROM clause. Keys grow in the order of the rows, so the k-th new call of
        an id is that of the k-th row.
        """
        return f"""
            INSERT INTO {self._statuses} (call_id, {_STATUS_COLUMNS})
            SELECT numbered.id, {_STATUS_VALUES}
            FROM (
                SELECT {_MATCHED}.*,
                    ROW_NUMBER() OVER (PARTITION BY reported_id ORDER BY ordinal) AS place
                FROM {_MATCHED} WHERE call_id IS NULL AND our_origin IS NULL
            ) unmatched
            JOIN (
                SELECT id, provider_id,
                    ROW_NUMBER() OVER (PARTITION BY provider_id ORDER BY id) AS place
                FROM {new_calls}
            ) numbered ON numbered.provider_id = reported_id
                AND numbered.place = unmatched.place
        """  # noqa: S608  # nosec B608

    def _add_to_totals(self, cursor: CursorWrapper, totals: Totals) -> None:
        """Count the rows by channel and state, and add them to ``totals``.

        A row is *matched* where this site has sent the call, and *imported* otherwise, also where
        an earlier run has imported it. A row that is too old to be imported is neither.
        """
        cursor.execute(f"""
            SELECT matched_channel, COALESCE(reported_state, 'other'), COUNT(*),
                COALESCE(SUM(reported_price), 0),
                SUM(CASE WHEN our_origin = 'app' THEN 1 ELSE 0 END),
                SUM(CASE WHEN our_origin = 'old' THEN 1 ELSE 0 END),
                SUM(CASE WHEN our_difference | new_difference > 0 THEN 1 ELSE 0 END),
                SUM(CASE WHEN our_origin = 'app' THEN is_first ELSE 0 END),
                SUM(CASE WHEN our_difference = 0 AND new_difference > 0 THEN 1 ELSE 0 END)
            FROM {_MATCHED} GROUP BY 1, 2
        """)  # noqa: S608  # nosec B608
        for channel, state, count, price, *numbers in cursor.fetchall():
            matched, old, mismatched, newly_matched, newly_mismatched = map(int, numbers)
            totals.counts[channel][state] += count
            totals.price += exact_money(price)
            totals.matched += matched
            totals.imported += count - matched - old
            totals.mismatched += mismatched
            totals.newly_matched += newly_matched
            totals.newly_mismatched += newly_mismatched
