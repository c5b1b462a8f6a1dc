"""``manage.py voicepassword_balance``: read the balance of the account."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_voicepassword import statistics
from django_voicepassword.management.base import AppCommand
from django_voicepassword.models.money import rounded
from django_voicepassword.verifications import operator_texts


class Command(AppCommand):
    help = "Reads the balance, stores it, and prints it and how long it will last."

    def handle(self, *args: Any, **options: Any) -> None:
        reading = statistics.read_balance()
        if reading is None:
            self.stdout.write(operator_texts.no_account_text())
            return
        self.stdout.write(rounded(reading.balance, reading.currency))
        forecast = statistics.forecast()
        if forecast is not None and forecast.ends_on is not None:
            text = _("%(spend)s a day: enough until %(day)s")
            self.stdout.write(
                text
                % {
                    "spend": rounded(forecast.spend_per_day, forecast.currency),
                    "day": forecast.ends_on,
                }
            )
