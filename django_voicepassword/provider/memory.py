"""TRANSPORT "memory", for tests: records each call in a list instead of placing it.

``django_voicepassword.testing`` is its public name and shows how to use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from uuid import UUID

from django_voicepassword.exceptions import Unreachable
from django_voicepassword.provider.protocol import Balance, Report, SendReply
from django_voicepassword.security import codes


@dataclass(frozen=True)
class Sent:
    """A call or SMS that the provider would have sent."""

    channel: str
    number: str
    code: str
    verification: UUID | None = None
    id: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"<Sent {self.channel} {self.id}>"


#: Every call and SMS since the process started or the list was cleared, the oldest first.
outbox: list[Sent] = []
_ids = count(1)


class MemoryClient:
    """A ProviderClient that appends to ``outbox`` and calls nobody.

    ``verification`` is recorded with each call and SMS. There is no account, so there is no
    balance.
    """

    def __init__(self, verification: UUID | None = None) -> None:
        self.verification = verification

    def flash_call(
        self,
        number: str,
        code: str | None = None,
        capacity: int | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        return self._send("flashcall", number, code or codes.make_random(capacity or 4))

    def voice_call(
        self,
        number: str,
        code: str | None = None,
        repeat: bool = False,
        ani: str | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        return self._send("voice", number, code or codes.make_random(4))

    def sms(self, request_id: str) -> SendReply:
        earlier = next((sent for sent in reversed(outbox) if sent.id == request_id), None)
        return self._send("sms", earlier.number if earlier else "", earlier.code if earlier else "")

    def balance(self) -> Balance:
        raise Unreachable("there is no account", may_have_rung=False)

    def state(self, request_id: str) -> Report:
        return Report(id=request_id)

    def daily(self, date: date) -> Iterator[Report]:
        return iter(())

    def _send(self, channel: str, number: str, code: str) -> SendReply:
        # A derived code is a Secret; as plain text it is readable in the output of a failing test.
        code = str(code)
        sent = Sent(channel, number, code, self.verification, id=f"memory-{next(_ids)}")
        outbox.append(sent)
        self.show(sent)
        return SendReply(id=sent.id, number=number, price=Decimal(0), code=code)

    def show(self, sent: Sent) -> None:
        """A hook for subclasses, called with each call and SMS."""
