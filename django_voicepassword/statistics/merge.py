"""A chunk of the provider's rows merged into ours by a few statements: match, move, import,
history, totals.

The rows are loaded into a temporary table (PostgreSQL: COPY), and everything else happens in the
database. The statements are one for all databases but for the loading, the UPDATE with a join, and
the RETURNING of PostgreSQL.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments, stored
from django_voicepassword.provider.protocol import DailyRow

_LOADED, _MATCHED = "voicepassword_told", "voicepassword_matched"
_FINAL = 9
#: A row as young as this that is no call of ours is left to the next run: the reply to our request
#: may be on its way.
YOUNG = timedelta(minutes=5)
#: Rows in one statement for MySQL: far below the packet that it takes.
_PART = 2000
#: A loaded row: names that no column of ours has, so that no join is ambiguous.
_COLUMNS = [
    ("told_id", "varchar(64)"),
    ("is_sms", "integer"),
    ("told_channel", "varchar(9)"),
    ("told_phone", "varchar(15)"),
    ("told_state", "varchar(13)"),
    ("told_progress", "integer"),
    ("told_word", "varchar(64)"),
    ("told_duration", "integer"),
    ("told_price", "numeric(12, 4)"),
    ("told_at", "{moment}"),
    ("told_service", "varchar(64)"),
    ("told_payload", "{json}"),
]
_NAMES = ", ".join(name for name, _ in _COLUMNS)


@dataclass
class Totals:
    """The figures of a day, chunk by chunk."""

    price: Decimal = Decimal(0)
    #: Channel -> state -> how many.
    counts: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    matched: int = 0
    imported: int = 0
    mismatched: int = 0
    #: Calls of ours that were changed, and calls that were imported, in this run.
    written: int = 0


class Merge:
    """Merges the chunks of one run on one connection. ``now``: when the calls are noted as listed."""

    def __init__(self, connection: BaseDatabaseWrapper, now: datetime) -> None:
        self._connection = connection
        self._vendor = connection.vendor
        self._calls = connection.ops.quote_name(CallRequest._meta.db_table)
        self._statuses = connection.ops.quote_name(CallStatus._meta.db_table)
        self._types = {
            "postgresql": {"moment": "timestamp with time zone", "json": "jsonb"},
            "mysql": {"moment": "datetime(6)", "json": "longtext"},
        }.get(self._vendor, {"moment": "datetime", "json": "text"})
        if self._vendor == "postgresql" and now.tzinfo is None:
            self._types["moment"] = "timestamp without time zone"
        self._zone = "+00" if self._vendor == "postgresql" and now.tzinfo else ""
        self._now, self._young = (self._text(moment) for moment in (now, now - YOUNG))
        self._known: dict[Any, tuple[Any, ...]] = {}
        self._parts: dict[Any, tuple[str, str, str]] = {}
        self._final = ", ".join(f"'{state.value}'" for state in CallRequest.FINAL_STATES)

    def chunk(self, rows: list[DailyRow], moments: Moments, totals: Totals) -> None:
        """Merge one chunk in the transaction that is open."""
        with self._connection.cursor() as cursor:
            if self._vendor == "postgresql":
                # It knows nothing of a temporary table's size, and would rather read all of our
                # calls for each chunk.
                cursor.execute("SET LOCAL enable_seqscan = off")
                # What that setting makes of the estimates would have every statement compiled.
                cursor.execute("SET LOCAL jit = off")
                # A chunk that a crash forgets is merged again by the next run; the day's figures
                # are written last.
                cursor.execute("SET LOCAL synchronous_commit = off")
            if self._vendor == "mysql":
                # A rollback leaves it there: a chunk that broke on this connection would break
                # every one that follows.
                cursor.execute(f"DROP TEMPORARY TABLE IF EXISTS {_LOADED}, {_MATCHED}")
            self._load(cursor, rows, moments)
            self._match(cursor)
            cursor.execute(
                f"DELETE FROM {_MATCHED} WHERE call_id IS NULL AND told_at >= %s",  # noqa: S608  # nosec B608
                [self._young],
            )
            totals.written += self._move(cursor)
            totals.written += self._import(cursor)
            self._add_up(cursor, totals)
            # On MySQL a DROP TABLE that does not say TEMPORARY ends the transaction.
            cursor.execute(
                f"DROP {'TEMPORARY ' if self._vendor == 'mysql' else ''}TABLE {_MATCHED}"
            )
            # Nothing vacuums a temporary table of PostgreSQL: deleted rows would be read again with
            # every later chunk.
            emptied = "TRUNCATE" if self._vendor == "postgresql" else "DELETE FROM"
            cursor.execute(f"{emptied} {_LOADED}")  # names only, here and below  # nosec B608

    def _text(self, moment: datetime) -> str:
        """A moment as the database stores it, beside those of the rows."""
        return f"{stored(moment) if moment.tzinfo else moment:%Y-%m-%d %H:%M:%S}{self._zone}"

    def _load(self, cursor: Any, rows: list[DailyRow], moments: Moments) -> None:
        columns = ", ".join(f"{name} {kind.format(**self._types)}" for name, kind in _COLUMNS)
        cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {_LOADED} ({columns})")
        if self._vendor == "postgresql":
            _copy(
                cursor,
                "".join([self._written(row, moments, _escape, "\\N", "\t", "\n") for row in rows]),
            )
        elif self._vendor == "mysql":
            # Its drivers escape every parameter of every row in Python: here what repeats is
            # escaped once.
            quote = _literal(self._connection)
            for start in range(0, len(rows), _PART):
                part = rows[start : start + _PART]
                told = "".join(
                    [self._written(row, moments, quote, "NULL", ",", "),(") for row in part]
                )[:-3]
                cursor.execute(f"INSERT INTO {_LOADED} ({_NAMES}) VALUES ({told})")  # noqa: S608  # nosec B608
        else:
            marks = ", ".join(["%s"] * len(_COLUMNS))
            values = [self._values(row, moments) for row in rows]
            cursor.executemany(f"INSERT INTO {_LOADED} ({_NAMES}) VALUES ({marks})", values)  # noqa: S608  # nosec B608

    def _values(self, row: DailyRow, moments: Moments) -> tuple[Any, ...]:
        """A row as it is loaded, in the order of ``_COLUMNS``."""
        is_sms, channel, state, progress, word, duration, price, service = self._repeated(row)
        told = (
            state,
            progress,
            word,
            duration,
            price,
            moments.text(row.date),
            service,
            row.payload,
        )
        return (row.id, is_sms, channel, row.number, *told)

    def _repeated(self, row: DailyRow) -> tuple[Any, ...]:
        """What many rows have in common, as it is loaded."""
        key = row[3:10]
        known = self._known.get(key)
        if known is None:
            progress = CallRequest.PROGRESS.get(row.state, 0)  # type: ignore[call-overload]
            price = None if row.price is None else str(row.price)
            known = (
                int(row.is_sms),
                row.channel,
                row.state,
                progress,
                row.raw_state,
                row.duration,
                price,
                row.service,
            )
            self._known[key] = known
        return known

    def _written(
        self,
        row: DailyRow,
        moments: Moments,
        quote: Callable[[Any], str],
        null: str,
        comma: str,
        end: str,
    ) -> str:
        """A row as text, its values quoted by ``quote``."""
        key = row[3:10]
        parts = self._parts.get(key)
        if parts is None:
            is_sms, channel, *told, service = map(quote, self._repeated(row))
            parts = (
                f"{comma}{is_sms}{comma}{channel}{comma}",
                comma.join(["", *told, ""]),
                f"{comma}{service}{comma}",
            )
            self._parts[key] = parts
        head, middle, tail = parts
        moment = moments.text(row.date)
        at = null if moment is None else quote(moment + self._zone)
        return (
            f"{quote(row.id)}{head}{quote(row.number)}{middle}{at}{tail}{quote(row.payload)}{end}"
        )

    def _match(self, cursor: Any) -> None:
        """Which of our calls each row is, and what it would change there."""
        progress = " ".join(
            f"WHEN '{state.value}' THEN {number}" for state, number in CallRequest.PROGRESS.items()
        )
        state, price, duration = (one.value for one in CallRequest.Difference)
        # The newest of ours, where two texts share an id. "+ 0": no walk down the primary key
        # instead of the lookup.
        same = "x.provider_id = told_id AND CASE WHEN x.channel = 'sms' THEN 1 ELSE 0 END = is_sms"
        if self._vendor == "postgresql":
            taken = "t.*, c.id AS call_id"
            newest = f"SELECT x.* FROM {self._calls} x WHERE {same} ORDER BY x.id + 0 DESC LIMIT 1"  # noqa: S608  # nosec B608
            source = f"{_LOADED} t LEFT JOIN LATERAL ({newest}) c ON true"
        else:
            taken = "t.*"
            newest = f"SELECT MAX(x.id + 0) FROM {self._calls} x WHERE {same}"  # noqa: S608  # nosec B608
            source = (
                f"(SELECT {_LOADED}.*, ({newest}) AS call_id FROM {_LOADED}) t "  # noqa: S608  # nosec B608
                f"LEFT JOIN {self._calls} c ON c.id = t.call_id"
            )
        cursor.execute(f"""
            CREATE TEMPORARY TABLE {_MATCHED} AS
            SELECT found.*,
                CASE WHEN call_id IS NOT NULL AND (
                    is_first = 1 OR fresh_difference > 0 OR (told_state IS NOT NULL AND told_progress > our_progress)
                    OR (told_price IS NOT NULL AND our_price IS NULL)
                    OR (told_duration IS NOT NULL AND our_duration IS NULL)
                ) THEN 1 ELSE 0 END AS is_changed
            FROM (
                SELECT {taken}, c.price AS our_price, c.duration AS our_duration, c.origin AS our_origin,
                    COALESCE(c.channel, t.told_channel) AS real_channel, c.difference AS our_difference,
                    CASE c.state {progress} ELSE 0 END AS our_progress,
                    CASE WHEN c.listed_at IS NULL THEN 1 ELSE 0 END AS is_first,
                    CASE WHEN c.state IN ({self._final}) AND t.told_progress = {_FINAL} AND c.state <> t.told_state
                        THEN {state} ELSE 0 END
                    + CASE WHEN c.price <> t.told_price THEN {price} ELSE 0 END
                    + CASE WHEN c.duration <> t.told_duration THEN {duration} ELSE 0 END AS fresh_difference
                FROM {source}
            ) found
        """)  # noqa: S608  # nosec B608

    def _move(self, cursor: Any) -> int:
        """The provider's figures win; each call that changed gets its line of history. How many
        changed.
        """
        cursor.execute(
            f"""
            INSERT INTO {self._statuses} (call_id, {_HISTORY})
            SELECT call_id, {self._told()} FROM {_MATCHED} WHERE is_changed = 1
            """,  # noqa: S608  # nosec B608
            [self._now],
        )
        changed = int(cursor.rowcount)
        if not changed:
            return 0
        ends = f"told_progress = {_FINAL}"
        values = f"""
            state = CASE WHEN told_state IS NOT NULL AND (told_progress > our_progress OR {ends})
                THEN told_state ELSE state END,
            price = COALESCE(told_price, price),
            duration = COALESCE(told_duration, duration),
            service = CASE WHEN told_service <> '' THEN told_service ELSE service END,
            occurred_at = COALESCE(told_at, occurred_at),
            finished_at = CASE WHEN {ends} THEN COALESCE(finished_at, %s) ELSE finished_at END,
            next_poll_at = CASE WHEN {ends} THEN NULL ELSE next_poll_at END,
            difference = difference | fresh_difference,
            listed_at = COALESCE(listed_at, %s)
        """
        where = f"{_MATCHED}.call_id = {self._calls}.id AND is_changed = 1"
        if self._vendor == "mysql":
            statement = f"UPDATE {self._calls}, {_MATCHED} SET {values} WHERE {where}"  # noqa: S608  # nosec B608
        else:
            statement = f"UPDATE {self._calls} SET {values} FROM {_MATCHED} WHERE {where}"  # noqa: S608  # nosec B608
        cursor.execute(statement, [self._now, self._now])
        return changed

    def _import(self, cursor: Any) -> int:
        """What we did not send: other systems use the same account. How many there are."""
        insert = f"""
            INSERT INTO {self._calls} (phone, channel, state, provider_id, service, price, duration, origin, error_code,
                created_at, placed_at, finished_at, occurred_at, polls, code_digest, device, listed_at, difference)
            SELECT told_phone, told_channel, COALESCE(told_state, 'placed'), told_id, told_service, told_price,
                told_duration, 'imported', '', COALESCE(told_at, %s), told_at,
                CASE WHEN told_progress = {_FINAL} THEN told_at ELSE NULL END, told_at, 0, '', '', %s, 0
            FROM {_MATCHED} WHERE call_id IS NULL
        """  # noqa: S608  # nosec B608
        parameters: list[Any] = [self._now, self._now]
        same = "n.provider_id = told_id AND CASE WHEN n.channel = 'sms' THEN 1 ELSE 0 END = is_sms"
        history = (
            f"INSERT INTO {self._statuses} (call_id, {_HISTORY}) SELECT n.id, {self._told()} FROM"
        )
        if self._vendor == "postgresql":
            cursor.execute(
                f"WITH n AS ({insert} RETURNING id, provider_id, channel) {history} n JOIN {_MATCHED} ON {same}",
                [*parameters, self._now],
            )
            return int(cursor.rowcount)
        cursor.execute(insert, parameters)
        imported = int(cursor.rowcount)
        if imported:
            cursor.execute(
                f"{history} {_MATCHED} JOIN {self._calls} n ON {same} WHERE call_id IS NULL",
                [self._now],
            )
        return imported

    def _add_up(self, cursor: Any, totals: Totals) -> None:
        cursor.execute(f"""
            SELECT real_channel, COALESCE(told_state, 'other'), COUNT(*), COALESCE(SUM(told_price), 0),
                SUM(CASE WHEN our_origin = 'app' THEN 1 ELSE 0 END),
                SUM(CASE WHEN our_difference | fresh_difference > 0 THEN 1 ELSE 0 END)
            FROM {_MATCHED} GROUP BY 1, 2
        """)  # noqa: S608  # nosec B608
        for channel, state, count, price, matched, mismatched in cursor.fetchall():
            totals.counts[channel][state] += count
            totals.price += Decimal(str(price)).quantize(Decimal("0.0001"))
            totals.matched += int(matched)
            totals.imported += count - int(matched)
            totals.mismatched += int(mismatched)

    def _told(self) -> str:
        """What a line of history says, in the order of ``_HISTORY``."""
        return "COALESCE(told_state, 'other'), told_word, 'daily', told_at, %s, told_duration, told_price, told_payload"


_HISTORY = "state, raw_state, source, occurred_at, received_at, duration, price, payload"


def _copy(cursor: Any, text: str) -> None:
    """COPY in its text form: the fastest way into PostgreSQL, with either driver."""
    statement = f"COPY {_LOADED} ({_NAMES}) FROM STDIN"
    driver = cursor.cursor
    if hasattr(driver, "copy"):
        with driver.copy(statement) as copy:
            copy.write(text)
    else:
        driver.copy_expert(statement, io.StringIO(text))


def _literal(connection: BaseDatabaseWrapper) -> Callable[[Any], str]:
    """How a value is written into a statement of MySQL, its text escaped by the driver."""
    driver = connection.connection

    def quote(value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(value)
        if hasattr(driver, "escape_string"):
            # mysqlclient; PyMySQL has the quotes in it.
            return f"'{driver.escape_string(value).decode()}'"
        return str(driver.escape(value))

    return quote


def _escape(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    text: str = value
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(raw, escaped)
    return text
