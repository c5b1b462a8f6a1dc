"""``manage.py voicepassword_poll``: run the periodic task poll_calls once, without a worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_voicepassword.exceptions import Unavailable
from django_voicepassword.verifications import dispatch


class Command(BaseCommand):
    help = (
        "Polls calls whose state nobody has reported, marks calls whose worker died as unknown, "
        "and requeues calls that no worker took."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            polled = dispatch.poll_and_requeue()
        except Unavailable as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"asked for {polled.asked}, given up as unknown: {len(polled.lost)}, "
            f"handed in again: {len(polled.stuck)}"
        )
