"""``manage.py voicepassword_balance``: what the account holds."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from django_voicepassword import provider
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = "Asks the provider for the balance and prints it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            balance = provider.client().balance()
        except (ProviderError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{balance.amount} {balance.currency}".strip())
