"""``manage.py voicepassword_balance``: what the account holds."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_voicepassword import statistics
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = "Asks the provider for the balance and prints it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reading = statistics.read_balance()
        except (ProviderError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(str(reading))
        told = statistics.forecast()
        if told is not None and told.ends_on is not None:
            self.stdout.write(f"{told.spend_per_day} a day: enough until {told.ends_on}")
