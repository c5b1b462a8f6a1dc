"""The base class of the commands: what can go wrong is said in a sentence, without a traceback.

Output and errors are in the active language, that of LANGUAGE_CODE unless the caller chose another.
``--help`` is in English, like the options of Django beside ours.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_voicepassword.verifications import operator_texts


class AppCommand(BaseCommand):
    """A command that ends with status 1 and a sentence where the provider, the database, the
    broker or a setting stands in its way.
    """

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except operator_texts.EXPECTED as error:
            # `from None`: its traceback may hold a number.
            raise CommandError(operator_texts.error_text(error)) from None
