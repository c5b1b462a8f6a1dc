"""``manage.py voicepassword_poll``: what the beat task poll_calls does, once, without a worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from django_voicepassword import polling


class Command(BaseCommand):
    help = "Asks the provider for the states of calls that nobody reported, and notices calls whose worker died."

    def handle(self, *args: Any, **options: Any) -> None:
        lost = len(polling.lose_abandoned())
        asked = polling.poll_due()
        self.stdout.write(f"asked for {asked}, given up as unknown: {lost}")
