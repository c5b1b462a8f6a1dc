"""Load a chunk of the provider's rows into a temporary table, as fast as each database allows.

Most values of a row are shared by many rows of the day: they are converted, and escaped, once.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from typing import NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments, stored
from django_voicepassword.provider.protocol import DailyRow
from django_voicepassword.statistics.alphabets import Alphabets
from django_voicepassword.statistics.pairing import PairedRow

#: The temporary table.
REPORTED = "voicepassword_reported"
#: Its columns, and for texts the column of ours with which each is compared, or into which it is
#: written. No column of our own tables has one of these names, so no join is ambiguous.
#: ``ordinal`` is the place of the row in the chunk, ``paired_id`` the ``PairedRow.call_id``.
_COLUMNS = [
    ("ordinal", "integer", None),
    ("paired_id", "bigint", None),
    ("reported_id", "varchar(64)", (CallRequest, "provider_id")),
    ("is_sms", "integer", None),
    ("reported_channel", "varchar(9)", (CallRequest, "channel")),
    ("reported_phone", "varchar(15)", (CallRequest, "phone")),
    ("reported_state", "varchar(13)", (CallRequest, "state")),
    ("reported_progress", "integer", None),
    ("reported_word", "varchar(64)", (CallStatus, "raw_state")),
    ("reported_duration", "integer", None),
    ("reported_price", "numeric(12, 4)", None),
    ("reported_at", "{moment}", None),
    ("reported_service", "varchar(64)", (CallRequest, "service")),
    ("reported_payload", "{json}", (CallStatus, "payload")),
]
_COLUMN_NAMES = ", ".join(name for name, _type, _ours in _COLUMNS)
#: Rows in one INSERT on MySQL, so that it stays far below max_allowed_packet.
_ROWS_PER_INSERT = 2000


SqlValue = str | int | None
Quote = Callable[[SqlValue], str]


def on_commit(vendor: str) -> str:
    """Return the clause that drops a temporary table with the transaction, where there is one.

    In a pool of sessions, such as PgBouncer's, the next transaction may be anybody's.
    """
    return "ON COMMIT DROP" if vendor == "postgresql" else ""


def zone_of(connection: BaseDatabaseWrapper) -> tzinfo:
    """Return the zone of the times that are written to the database as text.

    PostgreSQL reads the offset that is written behind each. The other databases store what they
    get, and Django reads it in the TIME_ZONE of the database (an entry of DATABASES).
    """
    is_postgresql = connection.vendor == "postgresql"
    return timezone.utc if is_postgresql else connection.timezone or timezone.utc


class _SharedValues(NamedTuple):
    """The values that many rows share, in the order of ``_COLUMNS``."""

    is_sms: int | None
    channel: str
    state: str | None
    progress: int
    word: str
    duration: int | None
    price: str | None
    service: str


class Loader:
    """Loads the chunks of one run on one connection. ``now`` is aware unless USE_TZ is off."""

    def __init__(self, connection: BaseDatabaseWrapper, now: datetime) -> None:
        self._connection = connection
        self._vendor = connection.vendor
        self._types = {
            "postgresql": {"moment": "timestamp with time zone", "json": "jsonb"},
            "mysql": {"moment": "datetime(6)", "json": "longtext"},
        }.get(self._vendor, {"moment": "datetime", "json": "text"})
        if self._vendor == "postgresql" and now.tzinfo is None:
            self._types["moment"] = "timestamp without time zone"
        self._zone = zone_of(connection)
        self._alphabets = Alphabets(connection)
        self._offset = "+00" if self._vendor == "postgresql" and now.tzinfo else ""
        #: The shared fields of a row -> their values in the table, and these as parts of its text.
        self._shared: dict[tuple[object, ...], _SharedValues] = {}
        self._texts: dict[tuple[object, ...], tuple[str, str, str]] = {}

    def timestamp(self, moment: datetime) -> str:
        """Return ``moment`` in the form of the column ``reported_at``."""
        if moment.tzinfo:
            moment = stored(moment, self._zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}{self._offset}"

    def load(self, cursor: CursorWrapper, rows: list[PairedRow], moments: Moments) -> None:
        """Create the temporary table, and write ``rows`` into it."""
        columns = ", ".join(
            f"{name} {kind.format(**self._types)}{self._alphabets.clause(ours)}"
            for name, kind, ours in _COLUMNS
        )
        create = f"CREATE TEMPORARY TABLE {REPORTED} ({columns}) {on_commit(self._vendor)}"
        cursor.execute(create)
        if self._vendor == "postgresql":
            quote, tab = _quote_for_copy, "\t"
            lines = [
                f"{ordinal}\t{quote(call_id)}\t{self._row_text(row, moments, quote, tab)}\n"
                for ordinal, (row, call_id) in enumerate(rows)
            ]
            _copy(cursor, "".join(lines))
        elif self._vendor == "mysql":
            self._insert_literals(cursor, rows, moments)
        else:
            placeholders = ", ".join(["%s"] * len(_COLUMNS))
            insert = (
                f"INSERT INTO {REPORTED} ({_COLUMN_NAMES}) VALUES ({placeholders})"  # names only  # noqa: S608  # nosec B608
            )
            values = [
                (ordinal, call_id, *self._row_values(row, moments))
                for ordinal, (row, call_id) in enumerate(rows)
            ]
            cursor.executemany(insert, values)

    def _insert_literals(
        self, cursor: CursorWrapper, rows: list[PairedRow], moments: Moments
    ) -> None:
        """Insert the rows on MySQL, their values written into the statement.

        With parameters the driver would escape every value of every row in Python. Here it escapes
        the shared values once.
        """
        quote = _literal_quote(self._connection)
        for start in range(0, len(rows), _ROWS_PER_INSERT):
            batch = rows[start : start + _ROWS_PER_INSERT]
            lines = [
                f"{ordinal},{quote(call_id)},{self._row_text(row, moments, quote, ',')}"
                for ordinal, (row, call_id) in enumerate(batch, start)
            ]
            values = "),(".join(lines)
            insert = f"INSERT INTO {REPORTED} ({_COLUMN_NAMES}) VALUES ({values})"  # escaped  # noqa: S608  # nosec B608
            cursor.execute(insert)

    def _row_values(self, row: DailyRow, moments: Moments) -> tuple[SqlValue, ...]:
        """Return the values of a row, in the order of ``_COLUMNS`` from ``reported_id`` on."""
        is_sms, channel, *outcome, service = self._shared_values(row)
        moment = moments.text(row.date)
        return (row.id, is_sms, channel, row.number, *outcome, moment, service, row.payload)

    def _row_text(self, row: DailyRow, moments: Moments, quote: Quote, separator: str) -> str:
        """Return the values of a row as text, each written by ``quote``."""
        key = row[3:10]  # is_sms to service
        parts = self._texts.get(key)
        if parts is None:
            is_sms, channel, *outcome, service = map(quote, self._shared_values(row))
            parts = self._texts[key] = (
                separator.join(["", is_sms, channel, ""]),
                separator.join(["", *outcome, ""]),
                separator.join(["", service, ""]),
            )
        before_phone, before_moment, before_payload = parts
        moment = moments.text(row.date)
        at = quote(None if moment is None else moment + self._offset)
        return (
            f"{quote(row.id)}{before_phone}{quote(row.number)}{before_moment}"
            f"{at}{before_payload}{quote(self._alphabets.payload(row.payload))}"
        )

    def _shared_values(self, row: DailyRow) -> _SharedValues:
        key = row[3:10]  # is_sms to service
        values = self._shared.get(key)
        if values is None:
            values = self._shared[key] = _SharedValues(
                is_sms=None if row.is_sms is None else int(row.is_sms),
                channel=row.channel,
                state=row.state,
                progress=CallRequest.PROGRESS.get(row.state or "", 0),
                word=self._alphabets.word(row.raw_state),
                duration=row.duration,
                price=None if row.price is None else str(row.price),
                service=self._alphabets.service(row.service),
            )
        return values


def _copy(cursor: CursorWrapper, text: str) -> None:
    """Load ``text`` with COPY, the fastest way into PostgreSQL, with psycopg 3 or psycopg2."""
    statement = f"COPY {REPORTED} ({_COLUMN_NAMES}) FROM STDIN"
    driver_cursor = cursor.cursor
    if hasattr(driver_cursor, "copy"):
        with driver_cursor.copy(statement) as copy:
            copy.write(text)
    else:
        driver_cursor.copy_expert(statement, io.StringIO(text))


def _quote_for_copy(value: SqlValue) -> str:
    """Return ``value`` in the text format of COPY."""
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value)
    if "\\" in value or "\t" in value or "\n" in value or "\r" in value:
        for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(raw, escaped)
    return value


def _literal_quote(connection: BaseDatabaseWrapper) -> Quote:
    """Return a function that writes a value as a literal of MySQL, escaped by the driver."""
    driver = connection.connection

    def quote(value: SqlValue) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int):
            return str(value)
        if hasattr(driver, "escape_string"):
            # mysqlclient returns bytes, and PyMySQL up to 1.1 text, both without the quotes.
            escaped = driver.escape_string(value)
            return f"'{escaped.decode() if isinstance(escaped, bytes) else escaped}'"
        return str(driver.escape(value))

    return quote
