"""What the provider tells of a call, in its own words, as the app keeps it: one line of history for
each report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.security import mask

PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}
SERVICES = {"flashcall": "Flash Call", "voice": "Voice Password", "sms": "SMS"}
#: State -> the word of callbacks, and that of polls and of the daily statistics.
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
#: Minute and second at which the hourly sync has read yesterday and today
#: (``schedule.BEAT_SCHEDULE``).
SYNCED = (17, 4)
#: So old a call is in the statistics with its end; and so old one that is not ours is taken from
#: them.
ENDED, YOUNG = timedelta(minutes=1), timedelta(minutes=5)


class Line(NamedTuple):
    """What becomes a CallStatus, once its call has a key."""

    state: str
    raw_state: str
    source: str
    occurred_at: datetime | None
    received_at: datetime
    duration: int | None
    price: Decimal | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A call as the provider knows it. ``date``: its own clock, whole seconds, aware."""

    id: str
    phone: str
    channel: str
    date: datetime
    state: str
    seconds: int
    price: Decimal

    def at(self, state: str) -> Told:
        """The same before it ended."""
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


def sent(told: Told, received: datetime) -> Line:
    """The reply to a request that the provider took."""
    payload = {"result": "ok", "id": told.id, "price": f"{told.price:.2f}"}
    return Line(
        CallRequest.State.PLACED,
        "ok",
        CallStatus.Source.SEND,
        None,
        received,
        None,
        told.price,
        payload,
    )


def refused(error_code: str, received: datetime) -> Line:
    """The reply to a request that it did not take."""
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


def own_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """A moment as the provider writes it."""
    return moment.astimezone(zone).replace(microsecond=0)


def synced(moment: datetime) -> datetime:
    """The first hourly sync at or after a moment."""
    minute, second = SYNCED
    sync = moment.replace(minute=minute, second=second, microsecond=0)
    return sync if sync >= moment else sync + timedelta(hours=1)
