"""TRANSPORT "console", for development: prints each call instead of placing it."""

from __future__ import annotations

import sys

from django_voicepassword import phones
from django_voicepassword.provider.memory import MemoryClient, Sent

_WORDS = {
    "flashcall": "a flash call rings; the last digits of the calling number are",
    "voice": "a robot calls and says",
    "sms": "an SMS comes and says",
}


class ConsoleClient(MemoryClient):
    """Prints every call with its code to standard output.

    Not for production: whoever reads the output can log in with the code.
    """

    def show(self, sent: Sent) -> None:
        line = f"[voicepassword] {phones.national(sent.number)}: {_WORDS[sent.channel]} {sent.code}"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
