"""The figures of a day, added up chunk by chunk."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.backends.utils import CursorWrapper

from django_voicepassword.provider.daily_report import MAX_UNREADABLE_KEPT
from django_voicepassword.provider.protocol import DailyRow
from django_voicepassword.statistics.figures import exact_money
from django_voicepassword.statistics.row_matching import MATCHED


@dataclass
class Totals:
    """What a run has found in the rows that it has read."""

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

    def add_rows(self, cursor: CursorWrapper) -> None:
        """Add the rows of the table of matches, counted by channel and state.

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
            FROM {MATCHED} GROUP BY 1, 2
        """)  # noqa: S608  # nosec B608
        for channel, state, count, price, *numbers in cursor.fetchall():
            matched, old, mismatched, newly_matched, newly_mismatched = map(int, numbers)
            self.counts[channel][state] += count
            self.price += exact_money(price)
            self.matched += matched
            self.imported += count - matched - old
            self.mismatched += mismatched
            self.newly_matched += newly_matched
            self.newly_mismatched += newly_mismatched

    def add_unreadable(self, rows: list[DailyRow]) -> None:
        self.unreadable += len(rows)
        room = MAX_UNREADABLE_KEPT - len(self.unreadable_rows)
        self.unreadable_rows += [json.loads(row.payload) for row in rows[:room]]
