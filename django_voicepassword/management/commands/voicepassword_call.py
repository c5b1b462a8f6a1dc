"""``manage.py voicepassword_call PHONE``: start a verification by hand. The limits apply."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from django_voicepassword import verifications
from django_voicepassword.management.base import AppCommand
from django_voicepassword.models import CallRequest
from django_voicepassword.verifications.description import describe


class Command(AppCommand):
    help = "Starts a verification of PHONE. The call is real and costs money."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "phone", metavar="PHONE", help='the number to call, for example "+7 999 123-45-67"'
        )
        parser.add_argument(
            "--channel",
            choices=["flashcall", "voice"],
            help="how the code comes; without it the first of CHANNELS",
        )
        parser.add_argument(
            "--purpose", default="login", help="what the verification is for; default: login"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verification = verifications.start(
            options["phone"], purpose=options["purpose"], channel=options["channel"]
        )
        description = describe(verification)
        channel = CallRequest.Channel(description.channel).label
        state = CallRequest.State(description.delivery).label
        self.stdout.write(f"{description.phone}: {channel}: {state}")
        self.stdout.write(description.hint)
