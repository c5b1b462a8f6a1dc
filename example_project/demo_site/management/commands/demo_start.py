"""``manage.py demo_start`` makes the demo's users, and lets the sandbox know its account."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from demo_site import account, people
from django_voicepassword.exceptions import ProviderError


class Command(BaseCommand):
    help = (
        "Makes the users of the demo's admin and prints their passwords as JSON. Where the sandbox"
        " runs: restores its account, and reads its statistics and balance. For the example only."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("DEBUG is off: these users are for a demonstration only")
        passwords = people.make()
        try:
            if account.restore():
                account.read()
        except ProviderError as error:
            # The admin says the same.
            self.stderr.write(f"the statistics and the balance cannot be read: {error}")
        self.stdout.write(json.dumps(passwords))
