"""``manage.py voicepassword_poll``: run the periodic task poll_calls once, without a worker."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from django_voicepassword.management.base import AppCommand
from django_voicepassword.verifications import dispatch


class Command(AppCommand):
    help = (
        "Polls calls whose state nobody has reported, marks calls whose worker died as unknown, "
        "and requeues calls that no worker took."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        polled = dispatch.poll_and_requeue()
        self.stdout.write(
            _("asked for %(asked)d, given up as unknown: %(lost)d, handed in again: %(stuck)d")
            % {"asked": polled.asked, "lost": len(polled.lost), "stuck": len(polled.stuck)}
        )
