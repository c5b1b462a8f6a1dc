"""``manage.py voicepassword_sync``: reconcile the call history with the provider's statistics."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from django_voicepassword import statistics
from django_voicepassword.exceptions import ProviderError
from django_voicepassword.management.base import AppCommand
from django_voicepassword.management.progress import Progress, number
from django_voicepassword.verifications import operator_texts


class Command(AppCommand):
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
            report = self._sync(day)
            statistics.refresh_figures(day)
            figures = report.statistics
            text = _(
                "%(day)s: %(rows)d rows, %(matched)d matched, %(imported)d imported, "
                "%(mismatched)d with differences, %(missing)d missing, %(unreadable)d unreadable; "
                "%(written)d written"
            )
            self.stdout.write(
                text
                % {
                    "day": day,
                    "rows": figures.rows,
                    "matched": figures.matched,
                    "imported": figures.imported,
                    "mismatched": figures.mismatched,
                    "missing": figures.missing,
                    "unreadable": figures.unreadable,
                    "written": report.written,
                }
            )

    def _sync(self, day: date) -> statistics.DayReport:
        text = _("%(day)s: rows read: %(rows)s")
        try:
            with Progress(self.stderr) as progress:
                return statistics.sync_day(
                    day, lambda rows: progress.show(text % {"day": day, "rows": number(rows)})
                )
        except ProviderError as error:
            kept = _("The earlier figures of %(day)s are kept.") % {"day": day}
            raise CommandError(f"{day}: {operator_texts.error_text(error)} {kept}") from None


def _days(iso_date: str | None, count: int | None) -> list[date]:
    today = statistics.provider_today()
    if iso_date is not None:
        try:
            return [date.fromisoformat(iso_date)]
        except ValueError:
            raise CommandError(_("--date must be a date, such as 2026-03-10")) from None
    count = 2 if count is None else count
    if not 1 <= count <= 366:
        raise CommandError(_("--days must be from 1 to 366"))
    return [today - timedelta(days=ago) for ago in reversed(range(count))]
