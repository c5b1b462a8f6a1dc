"""``manage.py voicepassword_export FILE``: write the call history as CSV or XLSX."""

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

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.history import Reader, export, filters
from django_voicepassword.management.base import AppCommand
from django_voicepassword.management.progress import Progress, number
from django_voicepassword.models import CallRequest
from django_voicepassword.security import audit

#: Options that filter the history, with their help texts.
FILTERS = {
    "state": "one state, such as busy",
    "channel": "flashcall, voice or sms",
    "origin": "app or imported",
    "error": "an error code, or any",
    "differs": "state, price, duration or any",
    "from": "the first day, such as 2026-03-10",
    "to": "the last day",
    "q": "the last digits of a number, a whole number, a provider id or a user name",
}


class Command(AppCommand):
    help = "Writes calls to FILE, newest first. Its extension chooses the format: .csv or .xlsx."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", type=Path, help="the file to write, such as calls.csv"
        )
        for name, help_text in FILTERS.items():
            parser.add_argument(f"--{name}", help=help_text)
        parser.add_argument(
            "--whole-phones",
            action="store_true",
            help="write whole numbers; the audit log records it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        file_format = _format_of(path)
        try:
            calls = filters.apply_filters(
                CallRequest.objects.all(),
                {name: options[name] for name in FILTERS},
                Reader(None, "command voicepassword_export"),
            )
        except filters.InvalidFilter as error:
            raise CommandError(f"--{error.name}: {error}") from None
        total = calls.count()
        if options["whole_phones"]:
            audit.whole_numbers_seen(None, f"command voicepassword_export as {file_format}", total)
        self._written = 0
        try:
            with _open_atomic(path) as file, Progress(self.stderr) as progress:
                exporter = export.Export(calls, options["whole_phones"])
                self._write(exporter, file_format, file, progress, total)
        except (OSError, export.TooManyRows) as error:
            raise CommandError(str(error)) from None
        text = ngettext("%(path)s: %(rows)s row", "%(path)s: %(rows)s rows", self._written)
        self.stdout.write(text % {"path": path, "rows": number(self._written)})

    def _write(
        self,
        exporter: export.Export,
        file_format: str,
        file: IO[bytes],
        progress: Progress,
        total: int,
    ) -> None:
        def show(rows: int) -> None:
            self._written = rows
            text = _("rows: %(rows)s of %(total)s")
            progress.show(text % {"rows": number(rows), "total": number(total)})

        if file_format == export.CSV:
            file.writelines(exporter.csv(show))
        else:
            exporter.xlsx(file, show)


def _format_of(path: Path) -> str:
    file_format = path.suffix.lower().lstrip(".")
    if file_format == export.XLSX and file_format not in export.formats():
        raise CommandError(_("XLSX needs XlsxWriter: pip install 'django-voicepassword[xlsx]'"))
    if file_format not in export.formats():
        raise CommandError(_("FILE must end in .csv or .xlsx"))
    return file_format


@contextmanager
def _open_atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file, readable by its owner alone, that becomes ``path`` when complete.

    Any exception deletes it and leaves an existing ``path`` as it is.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file, _exit_on_sigterm():
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the temporary file is deleted as after Ctrl-C."""

    def stop(*args: object) -> None:
        sys.exit(128 + signal.SIGTERM)

    # Python sets signal handlers in the main thread only.
    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, stop) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, signal.SIG_DFL if previous is None else previous)
