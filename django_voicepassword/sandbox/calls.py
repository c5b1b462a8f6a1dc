"""A call or SMS of the sandbox, and how the provider's API describes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal

MOSCOW = timezone(timedelta(hours=3))
PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}
SERVICES = {"flashcall": "Flash Call", "voice": "Voice Password", "sms": "SMS"}
#: State in callbacks -> state in the answers to ``state`` and ``daily``.
RUSSIAN = {
    "BUSY": "Занято",
    "NO ANSWER": "Нет ответа",
    "ANSWERED": "Успешно",
    "FAIL": "Ошибка",
    "CANCEL": "Отменен",
    "DIALING": "Дозвон",
    "QUEUED": "Передано шлюзу",
    "SEND": "Отправлено",
    "DELIVERED": "Доставлено",
    "NOT DELIVERED": "Не доставлено",
}


@dataclass
class Call:
    """A call or SMS. An SMS may have the id of the call that it follows."""

    id: str
    number: str
    channel: str
    code: str
    state: str
    #: In Moscow, the provider's time zone.
    date: datetime
    callback_url: str | None
    calling_number: str = ""
    #: What the robot says.
    speech: str = ""
    #: The text of an SMS.
    text: str = ""
    #: Seconds.
    duration: int = 0
    #: The id of the call that an SMS follows.
    follows: str | None = None

    @property
    def price(self) -> str:
        return f"{PRICES[self.channel]:.2f}"

    def statistics_row(self) -> dict[str, str]:
        """The call in the answers to ``state`` and ``daily``."""
        return {
            "id": self.id,
            "number": self.number,
            "date": f"{self.date:%d.%m.%Y %H:%M:%S}",
            "duration": f"{self.duration // 60:02}:{self.duration % 60:02}",
            "price": self.price,
            "service": SERVICES[self.channel],
            "state": RUSSIAN.get(self.state, self.state),
        }

    def callback(self, state: str) -> dict[str, str]:
        """The body of a callback that reports ``state``."""
        return {
            "id": self.id,
            "number": self.number,
            "duration": str(self.duration),
            "state": state,
            "price": self.price,
            "date": f"{self.date:%Y-%m-%d %H:%M:%S}",
        }

    def ledger_entry(self) -> dict[str, object]:
        """The call in ``/control/ledger.json``."""
        return {
            "id": self.id,
            "number": self.number,
            "channel": self.channel,
            "code": self.code,
            "from": self.calling_number,
            "says": self.speech,
            "text": self.text,
            "price": self.price,
            "state": self.state,
            "duration": self.duration,
            "date": self.date.isoformat(),
            "callback_url": self.callback_url,
            "follows": self.follows,
        }
