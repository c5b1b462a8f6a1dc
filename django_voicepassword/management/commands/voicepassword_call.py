"""``manage.py voicepassword_call PHONE``: start a verification by hand. The limits apply."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_voicepassword import verifications
from django_voicepassword.exceptions import VerificationError
from django_voicepassword.verifications.description import describe


class Command(BaseCommand):
    help = "Starts a verification of PHONE. The call is real and costs money."

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
        description = describe(verification)
        self.stdout.write(f"{description.phone}: {description.channel} {description.delivery}")
        self.stdout.write(description.hint)
