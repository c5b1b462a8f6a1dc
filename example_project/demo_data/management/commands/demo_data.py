"""``manage.py demo_data`` fills the call history with made-up calls to look at."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import Any

from demo_site import account
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.models import Max
from django.test import override_settings
from django.utils import timezone

from demo_data.balance import Account
from demo_data.daily_statistics import write_day
from demo_data.history import History
from demo_data.reports import FIRST_ID, MARK
from demo_data.writer import Writer
from django_voicepassword import statistics
from django_voicepassword.models import BalanceReading, CallRequest

#: Without a terminal, a line of progress is printed for so many days.
DAYS_A_LINE = 10
FEWEST_CALLS_A_DAY, MOST_DAYS = 10, 1000


class Command(BaseCommand):
    help = "Fills the call history with made-up calls of the last days. For the example only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=200_000)
        parser.add_argument("--days", type=int, default=90)
        parser.add_argument("--seed", type=int, help="the same number makes the same calls")
        parser.add_argument(
            "--now", type=datetime.fromisoformat, help="when the history ends, as 2026-03-10T15:00"
        )
        parser.add_argument(
            "--yes", action="store_true", help="beside calls of a real account, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        calls, days = options["calls"], options["days"]
        _check(calls, days, options["yes"])
        seed = secrets.randbelow(10**6) if options["seed"] is None else options["seed"]
        began = time.monotonic()
        self._generated, self._requested = 0, calls
        if connection.vendor == "sqlite":
            # Random keys are spread over the whole indexes: the default cache of two megabytes is
            # too small for them.
            connection.cursor().execute("PRAGMA cache_size = -64000")
        try:
            # With DEBUG on Django stores the text of every statement.
            with override_settings(DEBUG=False):
                self._write(History(calls, days, _aware(options["now"]), seed, _last_id()))
        except KeyboardInterrupt:
            raise CommandError("interrupted: the calls of the days so far are kept") from None
        # A demo that runs beside this command gets statistics that fit.
        account.restore()
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{self._generated:,} calls of {days} days, made in {seconds:.0f} s with --seed {seed}"
        )

    def _write(self, history: History) -> None:
        balance = Account(history.days, history.incidents.no_money, history.now)

        def written(calls: list[CallRequest]) -> None:
            balance.spend(calls)
            self._generated += len(calls)
            if self.stdout.isatty():
                self.stdout.write(f"\r{self._progress()}", ending="")
                self.stdout.flush()

        writer = Writer(written)
        for number, day in enumerate(history.days, start=1):
            with transaction.atomic():
                for visit in history.visits(day):
                    writer.add(visit)
                writer.flush()
                write_day(day, history.now)
            statistics.refresh_figures(day.date)
            if number % DAYS_A_LINE == 0 and not self.stdout.isatty():
                self.stdout.write(f"{self._progress()}, to {day.date}")
        if account.is_imitated() and history.is_first:
            # The readings of the sandbox would contradict what the made-up calls cost.
            BalanceReading.objects.all().delete()
        balance.write()
        if self.stdout.isatty():
            self.stdout.write("")

    def _progress(self) -> str:
        percent = 100 * self._generated // self._requested
        return f"{percent:3} %  {self._generated:,} of {self._requested:,} calls"


def _check(calls: int, days: int, is_sure: bool) -> None:
    """Raise CommandError if made-up calls would do harm, or cannot be made."""
    if not settings.DEBUG:
        raise CommandError("DEBUG is off: made-up calls are for a demonstration only")
    if not 1 <= days <= MOST_DAYS:
        raise CommandError(f"--days must be from 1 to {MOST_DAYS}")
    if calls < FEWEST_CALLS_A_DAY * days:
        raise CommandError(f"--calls must be {FEWEST_CALLS_A_DAY} a day at least")
    if not connection.features.can_return_rows_from_bulk_insert:
        raise CommandError(
            "PostgreSQL, SQLite or MariaDB is needed: this database does not return new keys"
        )
    if not is_sure and not account.is_imitated() and _has_other_calls():
        raise CommandError(
            "the database has calls of a real account; to add made-up ones beside them, add --yes"
            " (make demo-data YES=1)"
        )


def _has_other_calls() -> bool:
    known = CallRequest.objects.exclude(provider_id="")
    if known.exclude(provider_id__startswith=MARK).exists():
        return True
    # A refused call has no id, whoever made it.
    return CallRequest.objects.exists() and not known.exists()


def _last_id() -> int:
    """Return the newest id of an earlier run."""
    newest = CallRequest.objects.filter(provider_id__startswith=MARK).aggregate(
        newest=Max("provider_id")
    )["newest"]
    return int(newest or FIRST_ID)


def _aware(moment: datetime | None) -> datetime:
    if moment is None:
        return timezone.now()
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
