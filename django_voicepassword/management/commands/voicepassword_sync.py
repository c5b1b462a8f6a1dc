"""``manage.py voicepassword_sync``: agree with the provider on days of its statistics."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_voicepassword import statistics
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = "Reads daily statistics of the provider into the call history. Without options: yesterday and today."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--date", help="one day of the provider, as 2026-03-10")
        which.add_argument("--days", type=int, help="so many days, today the last of them")

    def handle(self, *args: Any, **options: Any) -> None:
        for day in _days(options["date"], options["days"]):
            try:
                report = statistics.sync_day(day, self._progress(day))
            except (ProviderError, ImproperlyConfigured) as error:
                raise CommandError(f"{day}: {error}; the figures of before stay") from None
            statistics.refresh_figures(day)
            told = report.statistics
            self.stdout.write(
                f"{day}: {told.rows} rows, {told.matched} matched, {told.imported} imported, {told.mismatched} with "
                f"differences, {told.missing} missing, {told.unreadable} unreadable; {report.written} written"
            )

    def _progress(self, day: date) -> Any:
        """A line that counts, where somebody looks."""
        if not self.stderr.isatty():
            return None

        def show(rows: int) -> None:
            self.stderr.write(f"\r{day}: {rows:,} rows", ending="\r")
            self.stderr.flush()

        return show


def _days(written: str | None, count: int | None) -> list[date]:
    today = statistics.provider_today()
    if written is not None:
        try:
            return [date.fromisoformat(written)]
        except ValueError:
            raise CommandError("--date must be a date, as 2026-03-10") from None
    count = 2 if count is None else count
    if not 1 <= count <= 366:
        raise CommandError("--days must be from 1 to 366")
    return [today - timedelta(days=ago) for ago in reversed(range(count))]
