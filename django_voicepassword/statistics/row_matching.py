"""Match the rows of a chunk with our calls, in a temporary table.

The table has each row, its call, and what the row changes in it; ``merge`` then writes what it
says. ``pairing`` has found the calls of some rows. Another row is matched where one of our calls
has its id and is an SMS if it is one; else it is unmatched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from django_voicepassword.models import CallRequest
from django_voicepassword.security.masking import ERASED
from django_voicepassword.statistics.alphabets import same_text
from django_voicepassword.statistics.loading import OUTCOMES, REPORTED, on_commit

#: An unmatched row that is younger than this is left to the next run. It may be one of our calls
#: whose id is not stored yet, because the reply to our request is still on its way.
YOUNG = timedelta(minutes=5)
#: The temporary table of the rows and the calls that they match.
MATCHED = "voicepassword_matched"
_REPORTED_ROWS = f"{REPORTED} JOIN {OUTCOMES} ON outcome_key = outcome"
_FINAL_PROGRESS = CallRequest.FINAL_PROGRESS
_FINAL_STATES = ", ".join(f"'{state.value}'" for state in sorted(CallRequest.FINAL_STATES))


class RowMatching:
    """Matches the chunks of one run on one connection.

    ``timestamp`` writes a datetime as the column ``reported_at`` has it. ``now`` is the time of the
    run. ``day`` is the start of the day and that of the next, both aware. With ``imported_since``,
    unmatched rows before this aware datetime, and those without a date, are not imported. With
    ``erased_until``, those before it are imported without their number.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        timestamp: Callable[[datetime], str],
        now: datetime,
        day: tuple[datetime, datetime],
        imported_since: datetime | None,
        erased_until: datetime | None,
    ) -> None:
        self._vendor = connection.vendor
        self._calls = connection.ops.quote_name(CallRequest._meta.db_table)
        self._young_since = timestamp(now - YOUNG)
        self._day = [timestamp(moment) for moment in day]
        self._imported_since = None if imported_since is None else timestamp(imported_since)
        self._erased_until = None if erased_until is None else timestamp(erased_until)

    def match(self, cursor: CursorWrapper) -> None:
        """Create the table of matches, without the rows that are left to the next run."""
        self._create(cursor)
        self._drop_young(cursor)
        self._mark_old(cursor)
        self._hide_erased(cursor)

    def _create(self, cursor: CursorWrapper) -> None:
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
            CREATE TEMPORARY TABLE {MATCHED} {on_commit(self._vendor)} AS
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
                f"(SELECT * FROM {_REPORTED_ROWS}) reported "  # noqa: S608  # nosec B608
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
            f"(SELECT {REPORTED}.*, {OUTCOMES}.*, COALESCE(paired_id, ({first})) AS call_key "  # noqa: S608  # nosec B608
            f"FROM {_REPORTED_ROWS}) reported "
            f"LEFT JOIN {self._calls} ours ON ours.id = reported.call_key"
        )

    def _drop_young(self, cursor: CursorWrapper) -> None:
        """Drop the unmatched rows that are left to the next run: see ``YOUNG``."""
        cursor.execute(
            f"DELETE FROM {MATCHED} WHERE call_id IS NULL AND reported_at >= %s",  # noqa: S608  # nosec B608
            [self._young_since],
        )

    def _mark_old(self, cursor: CursorWrapper) -> None:
        """Mark the unmatched rows that are too old to be imported: their ``our_origin`` is "old".

        They still count as rows of the day.
        """
        if self._imported_since is not None:
            cursor.execute(
                f"UPDATE {MATCHED} SET our_origin = 'old' "  # noqa: S608  # nosec B608
                "WHERE call_id IS NULL AND (reported_at IS NULL OR reported_at < %s)",
                [self._imported_since],
            )

    def _hide_erased(self, cursor: CursorWrapper) -> None:
        """Hide the numbers of the unmatched rows that may be those of an erased person.

        Nothing is left that could tell whose they are: no number that was erased is remembered.
        """
        if self._erased_until is not None:
            cursor.execute(
                f"UPDATE {MATCHED} SET reported_phone = '{ERASED}', reported_payload = '{{}}' "  # noqa: S608  # nosec B608
                "WHERE call_id IS NULL AND (reported_at IS NULL OR reported_at < %s)",
                [self._erased_until],
            )
