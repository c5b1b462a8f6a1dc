"""The provider's reports about a call, in its own words, as lines of the app's history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.security import mask

#: Prefix of the ids of made-up calls. They have sixteen digits; those of the sandbox have fewer.
MARK = "9000000"
FIRST_ID = int(MARK.ljust(16, "0"))
PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}
SERVICES = {"flashcall": "Flash Call", "voice": "Voice Password", "sms": "SMS"}
#: State -> the word of callbacks, and the word of polls and daily statistics.
WORDS = {
    "dialing": ("", "Дозвон"),
    "answered": ("ANSWERED", "Успешно"),
    "no_answer": ("NO ANSWER", "Нет ответа"),
    "busy": ("BUSY", "Занято"),
    "canceled": ("CANCEL", "Отменен"),
    "failed": ("FAIL", "Ошибка"),
    "sms_queued": ("QUEUED", "Передано шлюзу"),
    "sms_sent": ("SEND", "Отправлено"),
    "delivered": ("DELIVERED", "Доставлено"),
    "not_delivered": ("NOT DELIVERED", "Не доставлено"),
}
#: Minute and second at which the hourly sync has finished (see ``schedule.BEAT_SCHEDULE``).
SYNC_FINISHED = (17, 4)
#: The age at which a call is in the statistics with its final state.
LISTED_AFTER = timedelta(minutes=1)
#: The age at which the sync imports a call of another system.
IMPORTED_AFTER = timedelta(minutes=5)


class Line(NamedTuple):
    """The values of a CallStatus, before its call has a key."""

    state: str
    raw_state: str
    source: str
    occurred_at: datetime | None
    received_at: datetime
    duration: int | None
    price: Decimal | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """A call as the provider knows it. ``date``: by its clock, in whole seconds, aware."""

    id: str
    phone: str
    channel: str
    date: datetime
    state: str
    seconds: int
    price: Decimal

    def at(self, state: str) -> ProviderCall:
        """Return the call as it was in an earlier state."""
        return self if state == self.state else replace(self, state=state, seconds=0)

    def callback(self, received: datetime) -> Line:
        word = WORDS[self.state][0]
        payload = {
            "id": self.id,
            "number": mask(self.phone),
            "duration": str(self.seconds),
            "state": word,
            "price": f"{self.price:.2f}",
            "date": self.date.strftime("%Y-%m-%d %H:%M:%S"),
        }
        return self._line(CallStatus.Source.CALLBACK, word, received, payload)

    def poll(self, received: datetime) -> Line:
        return self._row(CallStatus.Source.POLL, received)

    def daily(self, received: datetime) -> Line:
        return self._row(CallStatus.Source.DAILY, received)

    def _row(self, source: str, received: datetime) -> Line:
        word = WORDS[self.state][1]
        payload = {
            "id": self.id,
            "number": mask(self.phone),
            "date": self.date.strftime("%d.%m.%Y %H:%M:%S"),
            "duration": f"{self.seconds // 60:02}:{self.seconds % 60:02}",
            "price": f"{self.price:.2f}",
            "service": SERVICES[self.channel],
            "state": word,
        }
        return self._line(source, word, received, payload)

    def _line(self, source: str, word: str, received: datetime, payload: dict[str, Any]) -> Line:
        return Line(
            self.state, word, source, self.date, received, self.seconds, self.price, payload
        )


def reply_line(provider_call: ProviderCall, received: datetime) -> Line:
    """Return the reply to an accepted request."""
    payload = {"result": "ok", "id": provider_call.id, "price": f"{provider_call.price:.2f}"}
    return Line(
        CallRequest.State.PLACED,
        "ok",
        CallStatus.Source.SEND,
        None,
        received,
        None,
        provider_call.price,
        payload,
    )


def refusal_line(error_code: str, received: datetime) -> Line:
    """Return the reply to a refused request."""
    payload = {"result": "error", "error_code": error_code}
    return Line(
        CallRequest.State.REFUSED,
        error_code,
        CallStatus.Source.SEND,
        None,
        received,
        None,
        None,
        payload,
    )


def provider_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a moment in the provider's time zone, in whole seconds."""
    return moment.astimezone(zone).replace(microsecond=0)


def next_sync(moment: datetime) -> datetime:
    """Return when the first hourly sync at or after a moment finishes."""
    minute, second = SYNC_FINISHED
    sync = moment.replace(minute=minute, second=second, microsecond=0)
    return sync if sync >= moment else sync + timedelta(hours=1)
