"""A provider whose daily statistics are what a test says."""

from __future__ import annotations

from datetime import date
from typing import Any

from django_voicepassword.provider.protocol import Report, parse_report

#: The rows of every day, as the provider writes them.
ROWS: list[dict[str, Any]] = []


class Provider:
    """A client whose day has ``ROWS``."""

    def daily(self, day: date) -> list[Report]:
        return [parse_report(row) for row in ROWS]
