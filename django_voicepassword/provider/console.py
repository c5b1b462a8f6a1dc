"""TRANSPORT "console", for development: prints each call instead of placing it."""

from __future__ import annotations

import sys

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_voicepassword import phones
from django_voicepassword.provider.memory import MemoryClient, Sent

#: Channel -> what a person would notice, with the code as a word of its own.
_TEXTS = {
    "flashcall": gettext_noop(
        "%(phone)s: a flash call rings; the last digits of the calling number are %(code)s"
    ),
    "voice": gettext_noop("%(phone)s: a robot calls and says %(code)s"),
    "sms": gettext_noop("%(phone)s: an SMS comes and says %(code)s"),
}


class ConsoleClient(MemoryClient):
    """Prints every call with its code to standard output, in the active language.

    Not for production: whoever reads the output can log in with the code.
    """

    def show(self, sent: Sent) -> None:
        values = {"phone": phones.national(sent.number), "code": sent.code}
        sys.stdout.write(f"[voicepassword] {_(_TEXTS[sent.channel]) % values}\n")
        sys.stdout.flush()
