"""``manage.py voicepassword_person``: export or erase all data of a person."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.accounts import person as persons
from django_voicepassword.exceptions import LastPhone, VerificationError
from django_voicepassword.history import Person
from django_voicepassword.management.base import AppCommand
from django_voicepassword.management.progress import Progress, number
from django_voicepassword.security import masking
from django_voicepassword.verifications import operator_texts
from django_voicepassword.verifications.messages import error_text


class Command(AppCommand):
    help = (
        "Exports all data of a person as JSON, or erases it: of one number, or of a user and all "
        "of their numbers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--phone", help="a number in any spelling")
        who.add_argument("--user", metavar="PK", help="the primary key of a user")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--export", action="store_true", help="write all data as JSON to stdout")
        what.add_argument(
            "--erase",
            action="store_true",
            help="erase all data; calls stay without number, for the books",
        )
        parser.add_argument(
            "--no-input", action="store_true", help="erase without asking for a confirmation"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        person = _find(options["phone"], options["user"])
        if options["export"]:
            for part in persons.export(person):
                self.stdout.write(part, ending="")
            return
        if not options["no_input"] and not self._is_confirmed(person):
            raise CommandError(_("Nothing was erased."))
        self._erase(person)

    def _is_confirmed(self, person: Person) -> bool:
        numbers = ", ".join(map(masking.mask, person.phones)) or "–"
        self.stdout.write(
            _("This erases all data of the numbers %(numbers)s. It cannot be undone.")
            % {"numbers": numbers}
        )
        return input(_("Type “yes” to go on: ")).strip().casefold() in ("yes", _("yes"))

    def _erase(self, person: Person) -> None:
        with Progress(self.stderr) as progress:
            try:
                done = persons.erase(person, progress=lambda rows: progress.show(_rows(rows)))
            except LastPhone:
                raise CommandError(str(persons.NEEDED)) from None
        for day, error in done.not_synced.items():
            self.stderr.write(
                _("%(day)s could not be synced before: %(error)s")
                % {"day": day, "error": operator_texts.error_text(error)}
            )
        for name in done.left:
            self.stderr.write(
                _("The user's field “%(name)s” still holds a number: change it or delete the user.")
                % {"name": name}
            )
        self.stdout.write(_("Erased: %(rows)s.") % {"rows": _rows(done.rows)})


def _find(phone: str | None, user: str | None) -> Person:
    try:
        return persons.of_phone(phone) if phone is not None else persons.of_user(user)
    except VerificationError as error:
        raise CommandError(error_text(error)) from None
    except ObjectDoesNotExist:
        raise CommandError(_("There is no user with this primary key.")) from None


def _rows(rows: int) -> str:
    return ngettext("%(rows)s row", "%(rows)s rows", rows) % {"rows": number(rows)}
