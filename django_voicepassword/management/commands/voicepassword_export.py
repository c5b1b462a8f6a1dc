"""``manage.py voicepassword_export FILE``: the call history, or some of it, as CSV or XLSX."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_voicepassword.history import export, filters
from django_voicepassword.models import CallRequest
from django_voicepassword.security import audit

#: Filters of the history and what is said of them.
FILTERS = {
    "state": "one state, as busy",
    "channel": "flashcall, voice or sms",
    "origin": "app or imported",
    "error": "an error code, or any",
    "differs": "state, price, duration or any",
    "from": "the first day, as 2026-03-10",
    "to": "the last day",
    "q": "the last digits of a number, a whole number, an id of the provider's, a user's name",
}


class Command(BaseCommand):
    help = "Writes calls into FILE, newest first: CSV, or XLSX with XlsxWriter, as its name ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        for name, told in FILTERS.items():
            parser.add_argument(f"--{name}", help=told)
        parser.add_argument(
            "--whole-phones", action="store_true", help="whole numbers; that is noted in the log"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        kind = self._kind(file)
        try:
            calls = filters.apply_filters(
                CallRequest.objects.all(), {name: options[name] for name in FILTERS}
            )
        except filters.InvalidFilter as error:
            raise CommandError(f"--{error.name}: {error}") from None
        self._expected = calls.count()
        if options["whole_phones"]:
            audit.whole_numbers_seen(
                None, f"command voicepassword_export as {kind}", self._expected
            )
        try:
            with _whole_or_nothing(file) as written:
                self._write(export.Export(calls, options["whole_phones"]), kind, written)
        except (OSError, export.TooManyRows) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{file}: {self._done} rows")

    def _kind(self, file: Path) -> str:
        kind = file.suffix.lower().lstrip(".")
        if kind == export.XLSX and kind not in export.formats():
            raise CommandError("XLSX needs XlsxWriter: pip install 'django-voicepassword[xlsx]'")
        if kind not in export.formats():
            raise CommandError("FILE must end in .csv or .xlsx")
        return kind

    def _write(self, work: export.Export, kind: str, file: IO[bytes]) -> None:
        self._done = 0
        if kind == export.CSV:
            file.writelines(work.csv(self._progress))
        else:
            work.xlsx(file, self._progress)
        self._end_line()

    def _progress(self, rows: int) -> None:
        """A line that counts, where somebody looks."""
        self._done = rows
        if self.stderr.isatty():
            self.stderr.write(f"\r{rows:,} of {self._expected:,} rows", ending="")
            self.stderr.flush()

    def _end_line(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("")


@contextmanager
def _whole_or_nothing(path: Path) -> Iterator[IO[bytes]]:
    """A file for its owner's eyes alone that has its name when it is whole; before, and whatever
    ends it, it has another.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, _stopped_gently():
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _stopped_gently() -> Iterator[None]:
    """SIGTERM ends the process as Ctrl-C does: what was begun is taken away."""

    def stop(*args: Any) -> None:
        sys.exit(128 + signal.SIGTERM)

    # In a thread of somebody's own, signals are not ours to take.
    is_ours = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if is_ours else None
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
