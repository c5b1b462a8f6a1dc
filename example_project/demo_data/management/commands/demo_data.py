"""``manage.py demo_data``: fills the history with made-up calls, so that there is something to see."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.models import Max
from django.test import override_settings
from django.utils import timezone

from demo_data.books import Account, write_day
from demo_data.history import History
from demo_data.writer import Writer
from django_voicepassword import statistics
from django_voicepassword.models import CallRequest

#: The ids of made-up calls begin with this and have sixteen digits: those of the sandbox are short.
MARK = "9000000"
FIRST_ID = int(MARK.ljust(16, "0"))
#: Where no terminal shows the progress, so many days have a line.
DAYS_A_LINE = 10
FEWEST_CALLS_A_DAY, MOST_DAYS = 10, 1000


class Command(BaseCommand):
    help = "Fills the call history with made-up calls of the last days, up to now. For the example alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--calls", type=int, default=200_000)
        parser.add_argument("--days", type=int, default=90)
        parser.add_argument("--seed", type=int, help="the same number makes the same calls")
        parser.add_argument(
            "--now", type=datetime.fromisoformat, help="when the history ends, as 2026-03-10T15:00"
        )
        parser.add_argument(
            "--yes", action="store_true", help="beside calls that are not made up, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        calls, days = options["calls"], options["days"]
        _check(calls, days, options["yes"])
        seed = secrets.randbelow(10**6) if options["seed"] is None else options["seed"]
        began = time.monotonic()
        self._made, self._wanted = 0, calls
        if connection.vendor == "sqlite":
            # Keys of chance fall all over the indexes: the two megabytes of the default hold too
            # little of them.
            connection.cursor().execute("PRAGMA cache_size = -64000")
        # Under DEBUG Django keeps the text of every statement.
        with override_settings(DEBUG=False):
            self._write(History(calls, days, _aware(options["now"]), seed, _last_id()))
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{self._made:,} calls of {days} days, made in {seconds:.0f} s with --seed {seed}"
        )

    def _write(self, history: History) -> None:
        account = Account(history.days, history.luck.no_money, history.now)

        def written(calls: list[CallRequest]) -> None:
            account.spend(calls)
            self._made += len(calls)
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
        account.write()
        if self.stdout.isatty():
            self.stdout.write("")

    def _progress(self) -> str:
        return f"{100 * self._made // self._wanted:3} %  {self._made:,} of {self._wanted:,} calls"


def _check(calls: int, days: int, is_sure: bool) -> None:
    """Raise CommandError where made-up calls would do harm, or cannot be made."""
    if not settings.DEBUG:
        raise CommandError("DEBUG is off: made-up calls are for a demonstration only")
    if not 1 <= days <= MOST_DAYS:
        raise CommandError(f"--days must be from 1 to {MOST_DAYS}")
    if calls < FEWEST_CALLS_A_DAY * days:
        raise CommandError(f"--calls must be {FEWEST_CALLS_A_DAY} a day at least")
    if not connection.features.can_return_rows_from_bulk_insert:
        raise CommandError(
            "PostgreSQL, SQLite or MariaDB is needed: this database does not tell the keys of new rows"
        )
    if not is_sure and _has_other_calls():
        raise CommandError(
            "the database has calls that are not made up; to put made-up ones beside them, add --yes (make demo-data YES=1)"
        )


def _has_other_calls() -> bool:
    known = CallRequest.objects.exclude(provider_id="")
    if known.exclude(provider_id__startswith=MARK).exists():
        return True
    # A refused call has no id, whoever made it.
    return CallRequest.objects.exists() and not known.exists()


def _last_id() -> int:
    """The newest id of an earlier run."""
    newest = CallRequest.objects.filter(provider_id__startswith=MARK).aggregate(
        newest=Max("provider_id")
    )["newest"]
    return int(newest or FIRST_ID)


def _aware(moment: datetime | None) -> datetime:
    if moment is None:
        return timezone.now()
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
