"""``manage.py voicepassword_balance``: read the balance of the account."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_voicepassword import statistics
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = "Reads the balance, stores it, and prints it and how long it will last."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reading = statistics.read_balance()
        except (ProviderError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(str(reading))
        forecast = statistics.forecast()
        if forecast is not None and forecast.ends_on is not None:
            self.stdout.write(f"{forecast.spend_per_day} a day: enough until {forecast.ends_on}")
