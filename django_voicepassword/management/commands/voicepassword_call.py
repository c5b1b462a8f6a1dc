"""``manage.py voicepassword_call PHONE``: start a verification by hand; the limits hold here too."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_voicepassword import verifications
from django_voicepassword.exceptions import VerificationError
from django_voicepassword.verifications import description


class Command(BaseCommand):
    help = "Starts a verification of PHONE: it is called, and that is paid."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone")
        parser.add_argument("--channel", choices=["flashcall", "voice"])
        parser.add_argument("--purpose", default="login")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verification = verifications.start(
                options["phone"], purpose=options["purpose"], channel=options["channel"]
            )
        except (VerificationError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        described = description.describe(verification)
        self.stdout.write(f"{described.phone}: {described.channel} {described.delivery}")
        self.stdout.write(described.hint)
