"""The imitated provider: places calls that ring only on the sandbox's page, and reports them.

All of it is in memory, under one lock.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count, islice

from django_voicepassword.sandbox.callbacks import Callbacks
from django_voicepassword.sandbox.calls import MOSCOW, PRICES, Call
from django_voicepassword.sandbox.magic_numbers import outcome_of

Json = dict[str, object]


class Refusal(Exception):
    """The request is refused; the message is an ``error_code`` of the provider's document."""


class Exchange:
    """The provider's account, calls and statistics. ``key`` is the API key that it accepts."""

    def __init__(self, key: str, balance: Decimal, callback_delay: float = 1.0) -> None:
        self.key = key
        self._first_balance = balance
        self._lock = threading.RLock()
        self._callbacks = Callbacks(self._lock, callback_delay)
        self._random = random.Random()  # imitated codes  # noqa: S311  # nosec B311
        # A project may remember the ids of an earlier process.
        self._ids = count(time.time_ns() // 1_000_000)
        #: Cleared while the answers to send requests are held back.
        self.answers_flow = threading.Event()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.balance = self._first_balance
            self.calls: list[Call] = []
            self._by_id: dict[str, list[Call]] = {}
            #: Statistics of calls that another process of the sandbox placed.
            self._restored: list[dict[str, str]] = []
            self.requests: list[dict[str, str]] = []
            #: Date (dd.mm.yyyy) -> number of invented rows in its statistics.
            self.generated: dict[str, int] = {}
            self._callbacks.reset()
            self.answers_flow.set()

    def restore(self, balance: Decimal, rows: list[dict[str, str]]) -> None:
        """Set the balance, and add calls of an earlier process to the statistics.

        ``rows``: as the statistics have them. Rows of calls that this process has placed are left
        out, and so are those of an earlier ``restore``.
        """
        with self._lock:
            self.balance = balance
            self._restored = [row for row in rows if row["id"] not in self._by_id]

    def send(self, body: Json) -> tuple[Json, str]:
        """Serve a send request. Returns the reply, and how the server must answer with it.

        A request that the provider does not understand becomes a flash call, as in reality.
        """
        sms = body.get("sms")
        if isinstance(sms, dict) and "number" not in body:
            return self._send_sms(sms)
        return self._send_call(body)

    def _send_call(self, body: Json) -> tuple[Json, str]:
        number = _number(body)
        channel, section = _channel(body)
        outcome = outcome_of(number, channel)
        if outcome.reply.startswith("error:"):
            raise Refusal(outcome.reply.partition(":")[2])
        code = self._code(body, section)
        calling_number = self._calling_number(channel, section, code)
        call = self._ring(channel, number, code, body.get("callback_url"))
        call.calling_number = calling_number
        if channel == "voice":
            sentence = f"Ваш код: {' '.join(code)}."
            is_repeated = str(section.get("repeat", "0")) == "1"
            call.speech = f"{sentence} Повторяю. {sentence}" if is_repeated else sentence
        self._callbacks.schedule(call, outcome.states, outcome.callbacks)
        reply: Json = {
            "result": "ok",
            "id": int(call.id) if outcome.reply == "number_id" else call.id,
            "number": number,
            "price": call.price,
            "code": code,
        }
        if outcome.reply == "no_code":
            del reply["code"]
        return reply, outcome.reply

    def _send_sms(self, section: Json) -> tuple[Json, str]:
        earlier = self._find(str(section.get("id", "")))
        if earlier is None:
            raise Refusal("ID_Not_Found")
        outcome = outcome_of(earlier.number, "sms")
        request_id = None if outcome.sms_has_own_id else earlier.id
        call = self._ring("sms", earlier.number, earlier.code, earlier.callback_url, request_id)
        call.text, call.follows = f"Ваш код: {call.code}", earlier.id
        self._callbacks.schedule(call, outcome.sms_states, outcome.callbacks)
        # The provider's document has this key with a leading space.
        return {
            "result": "ok",
            "id": call.id,
            "number": call.number,
            "price": call.price,
            " message": call.text,
        }, "ok"

    def get(self, body: Json) -> Json:
        """Serve a get request: balance, state or daily."""
        kind = body.get("request")
        if kind == "balance":
            return {"result": "ok", "balance": f"{self.balance:.2f}", "currency": "Rub"}
        if kind == "state":
            return {"result": "ok", "data": self._row(str(body.get("id", "")))}
        if kind == "daily":
            date = str(body.get("date", ""))
            if not date:
                raise Refusal("Date_is_Empty")
            rows = self.rows_of_day(date)
            return {"result": "ok", "rows": str(len(rows)), "data": rows}
        raise Refusal("unknown_request")

    def rows_of_day(self, date: str) -> list[dict[str, str]]:
        """The statistics of a day (dd.mm.yyyy), without invented rows."""
        with self._lock:
            rows = [*self._restored, *(call.statistics_row() for call in self.calls)]
        return [row for row in rows if row["date"].startswith(date)]

    def age(self, days: int) -> None:
        """Move all calls and SMS into the past."""
        with self._lock:
            for call in self.calls:
                call.date -= timedelta(days=days)

    def note(self, address: str, body: object, result: str) -> None:
        """Record a request, also one that was refused and so left no call."""
        number = str(body.get("number", "")) if isinstance(body, dict) else ""
        with self._lock:
            self.requests.append({"address": address, "number": number, "result": result})

    def ledger(self, number: str = "") -> Json:
        """Every request, call and callback, oldest first; also calls whose answer was lost."""
        with self._lock:
            return {
                "balance": f"{self.balance:.2f}",
                "requests": [
                    dict(request)
                    for request in self.requests
                    if not number or request["number"] == number
                ],
                "calls": [
                    call.ledger_entry() for call in self.newest(number, limit=len(self.calls))
                ],
                "callbacks": [dict(callback) for callback in self._callbacks.sent],
            }

    def newest(self, number: str = "", limit: int = 50) -> list[Call]:
        """Copies of the last calls and SMS, to ``number`` or to any number, oldest first."""
        with self._lock:
            calls = (call for call in reversed(self.calls) if not number or call.number == number)
            return [replace(call) for call in islice(calls, limit)][::-1]

    def _code(self, body: Json, section: Json) -> str:
        if "code" in section:
            code = str(section["code"])
            if not (len(code) == 4 and code.isascii() and code.isdigit()):
                raise Refusal("code_not_valid")
            return code
        if isinstance(body.get("flashcall"), dict):
            raise Refusal("code_not_valid")
        capacity = str(body.get("capacity", "4"))
        length = min(max(int(capacity), 4), 10) if capacity.isdigit() and len(capacity) < 3 else 4
        return self._digits(length)

    def _calling_number(self, channel: str, section: Json, code: str) -> str:
        ani = section.get("ani")
        if ani is not None:
            if not str(ani).isdigit():
                raise Refusal("ani_phone_not_valid")
            return str(ani)
        number = f"7495{self._digits(7)}"
        if channel == "voice" and "code" in section:
            return number
        return number[: 11 - len(code)] + code

    def _digits(self, length: int) -> str:
        return "".join(self._random.choices("0123456789", k=length))

    def _ring(
        self,
        channel: str,
        number: str,
        code: str,
        callback_url: object,
        request_id: str | None = None,
    ) -> Call:
        """Charge for a call or SMS and add it. Without ``request_id`` it has an id of its own."""
        with self._lock:
            price = PRICES[channel]
            if self.balance < price:
                raise Refusal("not_enough_money")
            self.balance -= price
            call = Call(
                id=request_id or str(next(self._ids)),
                number=number,
                channel=channel,
                code=code,
                state="QUEUED" if channel == "sms" else "DIALING",
                date=datetime.now(MOSCOW),
                callback_url=callback_url if isinstance(callback_url, str) else None,
            )
            self.calls.append(call)
            self._by_id.setdefault(call.id, []).append(call)
            return call

    def _row(self, request_id: str) -> dict[str, str]:
        """The statistics of the newest call or SMS with this id. Raises Refusal."""
        call = self._find(request_id, newest=True)
        if call is not None:
            return call.statistics_row()
        with self._lock:
            rows = [row for row in self._restored if row["id"] == request_id]
        if not rows:
            raise Refusal("ID_Not_Found")
        return rows[-1]

    def _find(self, request_id: str, newest: bool = False) -> Call | None:
        """The call with this id. If an SMS has the same id: the first of them, or the newest."""
        with self._lock:
            calls = self._by_id.get(request_id)
            return calls[-1 if newest else 0] if calls else None


def _number(body: Json) -> str:
    number = "".join(filter(str.isdigit, str(body.get("number", ""))))
    if not number:
        raise Refusal("number_is_empty")
    if not 10 <= len(number) <= 15:
        raise Refusal("number_not_valid")
    return number


def _channel(body: Json) -> tuple[str, Json]:
    """The channel of a request, and its section; an empty one where there is none."""
    voice, flashcall = body.get("voice"), body.get("flashcall")
    if voice is not None and flashcall is not None:
        raise Refusal("unknown_request")
    if isinstance(voice, dict):
        return "voice", voice
    return "flashcall", flashcall if isinstance(flashcall, dict) else {}
