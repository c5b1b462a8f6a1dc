"""``manage.py voicepassword_purge``: run the periodic task purge once, with progress."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.conf import settings
from django_voicepassword.history import outdated, retention
from django_voicepassword.management.base import AppCommand
from django_voicepassword.management.progress import Progress, number


class Command(AppCommand):
    help = "Deletes or masks history older than RETENTION_DAYS, as RETENTION says."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only say how many rows of each kind would be deleted or masked",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.RETENTION_DAYS is None:
            self.stdout.write(_("RETENTION_DAYS is not set: history is kept"))
        if options["dry_run"]:
            self._show_outdated()
            return
        with Progress(self.stderr) as progress:
            rows = retention.purge(progress=lambda rows: progress.show(_rows(rows)))
        self.stdout.write(_done(rows))

    def _show_outdated(self) -> None:
        counts = outdated.count()
        for kind, rows in counts.items():
            self.stdout.write(f"{kind}: {number(rows)}")
        if not counts:
            self.stdout.write(_("No row is old enough."))
        self.stdout.write(_("Nothing was changed: this was a dry run."))


def _rows(rows: int) -> str:
    return ngettext("%(rows)s row", "%(rows)s rows", rows) % {"rows": number(rows)}


def _done(rows: int) -> str:
    if settings.RETENTION == "mask":
        text = ngettext("%(rows)s row masked or deleted", "%(rows)s rows masked or deleted", rows)
    else:
        text = ngettext("%(rows)s row deleted", "%(rows)s rows deleted", rows)
    return text % {"rows": number(rows)}
