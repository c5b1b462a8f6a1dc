"""``manage.py voicepassword_sync``: reconcile the call history with the provider's statistics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_voicepassword import statistics
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = (
        "Compares the call history with the provider's daily statistics and corrects it. "
        "Without options: yesterday and today."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        days = parser.add_mutually_exclusive_group()
        days.add_argument("--date", help="one day of the provider, such as 2026-03-10")
        days.add_argument("--days", type=int, help="number of days up to and including today")

    def handle(self, *args: Any, **options: Any) -> None:
        for day in _days(options["date"], options["days"]):
            try:
                report = statistics.sync_day(day, self._progress_callback(day))
            except (ProviderError, ImproperlyConfigured) as error:
                raise CommandError(f"{day}: {error}; the earlier figures are kept") from None
            statistics.refresh_figures(day)
            figures = report.statistics
            self.stdout.write(
                f"{day}: {figures.rows} rows, {figures.matched} matched, "
                f"{figures.imported} imported, {figures.mismatched} with differences, "
                f"{figures.missing} missing, {figures.unreadable} unreadable; "
                f"{report.written} written"
            )

    def _progress_callback(self, day: date) -> Callable[[int], None] | None:
        """Return a function that shows the number of rows, or None if stderr is no terminal."""
        if not self.stderr.isatty():
            return None

        def show(rows: int) -> None:
            self.stderr.write(f"\r{day}: {rows:,} rows", ending="\r")
            self.stderr.flush()

        return show


def _days(iso_date: str | None, count: int | None) -> list[date]:
    today = statistics.provider_today()
    if iso_date is not None:
        try:
            return [date.fromisoformat(iso_date)]
        except ValueError:
            raise CommandError("--date must be a date, such as 2026-03-10") from None
    count = 2 if count is None else count
    if not 1 <= count <= 366:
        raise CommandError("--days must be from 1 to 366")
    return [today - timedelta(days=ago) for ago in reversed(range(count))]
