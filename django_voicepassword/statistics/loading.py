"""Load a chunk of the provider's rows into temporary tables, as fast as each database allows.

Most values of a row are shared by many rows of the day. They are written once, into a table of
their own.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timezone, tzinfo

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments, stored
from django_voicepassword.provider.protocol import Outcome
from django_voicepassword.statistics.alphabets import Alphabets, Column
from django_voicepassword.statistics.notation import SqlValue, notation_of
from django_voicepassword.statistics.pairing import PairedRow

#: The temporary table of the rows, and that of what many of them share.
REPORTED, OUTCOMES = "voicepassword_reported", "voicepassword_outcomes"
#: Their columns, and for texts the column of ours with which each is compared, or into which it is
#: written. No column of our own tables has one of these names, so no join is ambiguous.
#: ``ordinal`` is the place of the row in the chunk, ``paired_id`` the ``PairedRow.call_id``, and
#: ``outcome`` the ``outcome_key`` of its outcome.
_ROW_COLUMNS = [
    ("ordinal", "integer", None),
    ("paired_id", "bigint", None),
    ("reported_id", "varchar(64)", (CallRequest, "provider_id")),
    ("reported_phone", "varchar(15)", (CallRequest, "phone")),
    ("reported_at", "{moment}", None),
    ("outcome", "integer", None),
    ("reported_payload", "{json}", (CallStatus, "payload")),
]
_OUTCOME_COLUMNS = [
    ("outcome_key", "integer{key}", None),
    ("is_sms", "integer", None),
    ("reported_channel", "varchar(9)", (CallRequest, "channel")),
    ("reported_state", "varchar(13)", (CallRequest, "state")),
    ("reported_progress", "integer", None),
    ("reported_word", "varchar(64)", (CallStatus, "raw_state")),
    ("reported_duration", "integer", None),
    ("reported_price", "numeric(12, 4)", None),
    ("reported_service", "varchar(64)", (CallRequest, "service")),
]
#: Rows in one INSERT on MySQL, so that it stays far below max_allowed_packet.
_ROWS_PER_INSERT = 2000
_Columns = Sequence[tuple[str, str, Column | None]]


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


class Loader:
    """Loads the chunks of one run on one connection. ``now`` is aware unless USE_TZ is off."""

    def __init__(self, connection: BaseDatabaseWrapper, now: datetime) -> None:
        self._connection = connection
        self._vendor = connection.vendor
        self._types = {
            "postgresql": {"moment": "timestamp with time zone", "json": "text", "key": ""},
            "mysql": {"moment": "datetime(6)", "json": "longtext", "key": " PRIMARY KEY"},
        }.get(self._vendor, {"moment": "datetime", "json": "text", "key": " PRIMARY KEY"})
        if self._vendor == "postgresql" and now.tzinfo is None:
            self._types["moment"] = "timestamp without time zone"
        self._zone = zone_of(connection)
        self._alphabets = Alphabets(connection)
        self._offset = "+00" if self._vendor == "postgresql" and now.tzinfo else ""

    def timestamp(self, moment: datetime) -> str:
        """Return ``moment`` in the form of the column ``reported_at``."""
        if moment.tzinfo:
            moment = stored(moment, self._zone)
        return f"{moment:%Y-%m-%d %H:%M:%S}{self._offset}"

    def load(self, cursor: CursorWrapper, rows: list[PairedRow], moments: Moments) -> None:
        """Create the temporary tables, and write ``rows`` into them."""
        outcomes = _Outcomes()
        self._create(cursor, REPORTED, _ROW_COLUMNS)
        self._create(cursor, OUTCOMES, _OUTCOME_COLUMNS)
        if self._vendor not in ("postgresql", "mysql"):
            _insert(cursor, REPORTED, _ROW_COLUMNS, _row_values(rows, moments, outcomes))
            _insert(cursor, OUTCOMES, _OUTCOME_COLUMNS, self._outcomes(outcomes))
            return
        lines = self._row_lines(rows, moments, outcomes)
        self._write(cursor, REPORTED, _ROW_COLUMNS, lines)
        notation = notation_of(self._connection)
        lines = [notation.line(values) for values in self._outcomes(outcomes)]
        self._write(cursor, OUTCOMES, _OUTCOME_COLUMNS, lines)

    def _create(self, cursor: CursorWrapper, table: str, columns: _Columns) -> None:
        definitions = ", ".join(
            f"{name} {kind.format(**self._types)}{self._alphabets.clause(ours)}"
            for name, kind, ours in columns
        )
        cursor.execute(f"CREATE TEMPORARY TABLE {table} ({definitions}) {on_commit(self._vendor)}")

    def _row_lines(self, rows: list[PairedRow], moments: Moments, outcomes: _Outcomes) -> list[str]:
        """Return the values of the rows as text, in the order of ``_ROW_COLUMNS``."""
        null, separator, mark, quote = notation_of(self._connection)
        text, key_of, offset = moments.text, outcomes.key_of, self._offset
        payload = self._alphabets.payload
        lines = []
        for ordinal, (row, call_id) in enumerate(rows):
            moment = text(row.date)
            # A phone number is digits or nothing, and a date has no other characters to escape.
            lines.append(
                f"{ordinal}{separator}{null if call_id is None else call_id}{separator}"
                f"{quote(row.id)}{separator}{mark}{row.number}{mark}{separator}"
                f"{null if moment is None else f'{mark}{moment}{offset}{mark}'}{separator}"
                f"{key_of(row.outcome)}{separator}{quote(payload(row.payload))}"
            )
        return lines

    def _write(
        self, cursor: CursorWrapper, table: str, columns: _Columns, lines: list[str]
    ) -> None:
        """Write rows in their notation into a table."""
        if self._vendor == "postgresql":
            lines.append("")
            _copy(cursor, table, columns, "\n".join(lines))
            return
        for start in range(0, len(lines), _ROWS_PER_INSERT):
            values = "),(".join(lines[start : start + _ROWS_PER_INSERT])
            cursor.execute(f"INSERT INTO {table} ({_names(columns)}) VALUES ({values})")  # escaped  # noqa: S608  # nosec B608

    def _outcomes(self, outcomes: _Outcomes) -> list[tuple[SqlValue, ...]]:
        return [self._outcome_values(key, outcome) for key, outcome in enumerate(outcomes.kept)]

    def _outcome_values(self, key: int, outcome: Outcome) -> tuple[SqlValue, ...]:
        """Return the values of an outcome, in the order of ``_OUTCOME_COLUMNS``."""
        return (
            key,
            None if outcome.is_sms is None else int(outcome.is_sms),
            outcome.channel,
            outcome.state,
            CallRequest.PROGRESS.get(outcome.state or "", 0),
            self._alphabets.word(outcome.raw_state),
            outcome.duration,
            None if outcome.price is None else str(outcome.price),
            self._alphabets.service(outcome.service),
        )


class _Outcomes:
    """Numbers the outcomes of a chunk, in the order in which they come."""

    def __init__(self) -> None:
        self.kept: list[Outcome] = []
        # By identity: hashing a Decimal would take longer than all the rest of a row. ``kept``
        # holds each of them, so no identity is used again.
        self._keys: dict[int, int] = {}

    def key_of(self, outcome: Outcome) -> int:
        key = self._keys.get(id(outcome))
        if key is None:
            key = self._keys[id(outcome)] = len(self.kept)
            self.kept.append(outcome)
        return key


def _row_values(
    rows: list[PairedRow], moments: Moments, outcomes: _Outcomes
) -> list[tuple[SqlValue, ...]]:
    """Return the values of the rows, in the order of ``_ROW_COLUMNS``."""
    text, key_of = moments.text, outcomes.key_of
    return [
        (number, call_id, row.id, row.number, text(row.date), key_of(row.outcome), row.payload)
        for number, (row, call_id) in enumerate(rows)
    ]


def _names(columns: _Columns) -> str:
    return ", ".join(name for name, _type, _ours in columns)


def _insert(
    cursor: CursorWrapper, table: str, columns: _Columns, rows: list[tuple[SqlValue, ...]]
) -> None:
    placeholders = ", ".join(["%s"] * len(columns))
    cursor.executemany(
        f"INSERT INTO {table} ({_names(columns)}) VALUES ({placeholders})",  # names only  # noqa: S608  # nosec B608
        rows,
    )


def _copy(cursor: CursorWrapper, table: str, columns: _Columns, text: str) -> None:
    """Load ``text`` with COPY, the fastest way into PostgreSQL, with psycopg 3 or psycopg2."""
    statement = f"COPY {table} ({_names(columns)}) FROM STDIN"
    driver_cursor = cursor.cursor
    if hasattr(driver_cursor, "copy"):
        with driver_cursor.copy(statement) as copy:
            copy.write(text)
    else:
        driver_cursor.copy_expert(statement, io.StringIO(text))
