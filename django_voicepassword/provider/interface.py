"""What the rest of the app needs of a client. Needs no Django.

``client.Client``, ``memory.MemoryClient`` and ``console.ConsoleClient`` have these methods. A host
project may write a client of its own and name it in TRANSPORT: see docs/settings.md.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Protocol

from django_voicepassword.provider.protocol import Balance, Report, SendReply


class ProviderClient(Protocol):
    """Sends requests to the provider. Every method raises ProviderError if it fails."""

    def flash_call(
        self,
        number: str,
        code: str | None = None,
        capacity: int | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` from a number whose last digits are ``code``.

        Without ``code`` the provider makes a code of ``capacity`` digits; the reply has it.
        """
        ...

    def voice_call(
        self,
        number: str,
        code: str | None = None,
        repeat: bool = False,
        ani: str | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` and let a robot say ``code``, twice if ``repeat`` is true.

        ``ani`` is the number to call from. Without ``code`` the provider makes one.
        """
        ...

    def sms(self, request_id: str) -> SendReply:
        """Send the code of the call with this id as an SMS."""
        ...

    def balance(self) -> Balance:
        """Ask for the balance of the account."""
        ...

    def state(self, request_id: str) -> Report:
        """Ask for the state of one call or SMS."""
        ...

    def daily(self, date: datetime.date) -> Iterable[Report]:
        """Read the statistics of one of the provider's days. The caller iterates once."""
        ...
