"""``manage.py voicepassword_sandbox``: serve the sandbox, an imitation of the provider."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from django_voicepassword.sandbox.__main__ import add_arguments, serve


class Command(BaseCommand):
    help = "Serves an imitation of the provider for development: nobody is called, nothing is paid."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if serve(**{name: options[name] for name in inspect.signature(serve).parameters}):
            sys.exit(1)
