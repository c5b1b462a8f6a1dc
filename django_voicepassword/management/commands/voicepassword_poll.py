"""``manage.py voicepassword_poll``: what the beat task poll_calls does, once, without a worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_voicepassword import dispatch
from django_voicepassword.calls import polling
from django_voicepassword.exceptions import Unavailable


class Command(BaseCommand):
    help = (
        "Asks the provider for the states of calls that nobody reported, notices calls whose worker died, and hands in "
        "again what no worker took."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        polled = polling.poll()
        try:
            for call_id in polled.forgotten:
                dispatch.hand_in_again(call_id)
        except Unavailable as error:
            raise CommandError(str(error)) from None
        told = (polled.asked, len(polled.lost), len(polled.forgotten))
        self.stdout.write(
            "asked for {}, given up as unknown: {}, handed in again: {}".format(*told)
        )
