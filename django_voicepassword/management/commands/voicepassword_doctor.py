"""``manage.py voicepassword_doctor``: say what is wrong with this installation, and what to do."""

from __future__ import annotations

import shutil
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.color import no_style
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.management import doctor
from django_voicepassword.management.base import AppCommand
from django_voicepassword.management.progress import Progress

#: The width of the table where it is not written to a terminal.
WIDTH = 100


class Command(AppCommand):
    help = (
        "Looks at the account, the queues, the callback address, clocks, settings and whatever "
        "else a login needs, and says what to do. Ends with status 1 where something does not "
        "work. Nobody is called, nothing is paid."
    )
    # They are a part of the table.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait",
            type=float,
            default=10,
            metavar="SECONDS",
            help="how long a worker may take to answer; default: 10",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with Progress(self.stderr, is_kept=False) as progress:
            findings = list(doctor.examine(options["wait"], progress.show))
        is_terminal = self.stdout.isatty()
        width = shutil.get_terminal_size().columns if is_terminal else WIDTH
        for line in doctor.lines(findings, width, self.style if is_terminal else no_style()):
            self.stdout.write(line)
        self._conclude([finding.level for finding in findings])

    def _conclude(self, levels: list[doctor.Level]) -> None:
        warnings, faults = levels.count(doctor.Level.WARNING), levels.count(doctor.Level.FAULT)
        told = [
            ngettext("%(count)d fault", "%(count)d faults", faults) % {"count": faults},
            ngettext("%(count)d warning", "%(count)d warnings", warnings) % {"count": warnings},
        ]
        if faults:
            raise CommandError(", ".join(told))
        self.stdout.write(", ".join(told) if warnings else _("Nothing is wrong."))
