"""``manage.py voicepassword_purge``: run the periodic task purge once, with progress."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from django_voicepassword.conf import settings
from django_voicepassword.history import retention


class Command(BaseCommand):
    help = "Deletes or masks history older than RETENTION_DAYS, as RETENTION says."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.RETENTION_DAYS is None:
            self.stdout.write("RETENTION_DAYS is not set: history is kept")
        rows = retention.purge(progress=self._show_progress if self.stderr.isatty() else None)
        verb = "masked" if settings.RETENTION == "mask" else "deleted"
        self.stdout.write(f"{rows} rows {verb}")

    def _show_progress(self, rows: int) -> None:
        self.stderr.write(f"\r{rows:,} rows", ending="\r")
        self.stderr.flush()
