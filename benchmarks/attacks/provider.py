"""The provider and the worker of the simulation: they call nobody and know every code."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from uuid import UUID

from django.db import connection

from benchmarks.attacks.clock import clock
from django_voicepassword.calls import broker, placing
from django_voicepassword.models import CallRequest
from django_voicepassword.provider.memory import MemoryClient, outbox
from django_voicepassword.provider.protocol import SendReply
from django_voicepassword.security import codes
from django_voicepassword.tasks import place_call  # noqa: F401  (the app publishes it by its name)

#: What a call costs, in roubles.
PRICE = Decimal("0.35")

#: Plain SQL, which takes a fifth of the time of the ORM.
_READ = (
    "SELECT verification_id, phone, channel, capacity"
    " FROM django_voicepassword_callrequest WHERE id = %s"
)
_PLACE = (
    "UPDATE django_voicepassword_callrequest SET state = 'placed', provider_id = 'simulated',"
    " claimed_at = %s, placed_at = %s, price = %s, code_digest = %s WHERE id = %s"
)


class Provider(MemoryClient):
    """TRANSPORT of the simulation: the memory transport, with a price."""

    def _send(self, channel: str, number: str, code: str) -> SendReply:
        reply = super()._send(channel, number, code)
        return SendReply(reply.id, reply.number, PRICE, reply.code)


class Worker:
    """Places a call as soon as it is published.

    A call with the usual code is placed by one UPDATE, with the result that ``calls.placing`` would
    have: that is most of the time of a start. Step-up calls are placed by the app itself.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        #: Verification -> the code that its calls carried.
        self.codes: dict[UUID, str] = {}
        broker.publish = self.publish  # type: ignore[assignment]

    def publish(self, task: object, call_id: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_READ, [call_id])
            key, phone, channel, capacity = cursor.fetchone()
            verification = UUID(key)
            if not capacity:
                if channel != CallRequest.Channel.SMS:
                    self.codes.setdefault(verification, f"{self.rng.randrange(10**4):04}")
                digest = codes.digest(verification, phone, self.codes[verification])
                moment = str(clock.moment.replace(tzinfo=None))
                cursor.execute(_PLACE, [moment, moment, float(PRICE), digest, call_id])
                return
        outbox.clear()
        placing.place(call_id)
        if outbox:
            self.codes[verification] = outbox[-1].code
