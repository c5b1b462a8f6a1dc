"""The exchange: what was called, what it cost, what is reported. In memory, one lock."""

from __future__ import annotations

import heapq
import json
import random
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from typing import Any

from django_voicepassword.sandbox.magic_numbers import outcome_of

MOSCOW = timezone(timedelta(hours=3))
PRICES = {"flashcall": Decimal("0.35"), "voice": Decimal("0.35"), "sms": Decimal("3.30")}
CALLBACK_TRIES = 5
#: The words of ``state`` and ``daily`` for those of callbacks.
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
SERVICES = {"flashcall": "Flash Call", "voice": "Voice Password", "sms": "SMS"}

Row = dict[str, Any]


class Refusal(Exception):
    """An ``error_code`` of the document."""


class Exchange:
    """Places calls that ring nobody but the page, and reports them."""

    def __init__(self, key: str, balance: Decimal, callback_delay: float = 1.0) -> None:
        self.key = key
        self.callback_delay = callback_delay
        self._first_balance = balance
        self._lock = threading.RLock()
        self._random = random.Random()  # imitated codes  # noqa: S311  # nosec B311
        self.answers_flow = threading.Event()
        self.answers_flow.set()
        self._due: list[tuple[float, int, Row]] = []
        self._is_due = threading.Condition(self._lock)
        self._sequence = 0
        self.reset()
        threading.Thread(target=self._deliver, daemon=True).start()

    def reset(self) -> None:
        with self._lock:
            self.balance = self._first_balance
            self.calls: list[Row] = []
            self._by_id: dict[str, list[Row]] = {}
            self.callbacks: list[Row] = []
            self.requests: list[Row] = []
            #: Date (dd.mm.yyyy) -> how many made-up rows its statistics have beside what rang.
            self.generated: dict[str, int] = {}
            self._due.clear()
            self.answers_flow.set()

    def send(self, body: Row) -> tuple[Row, str]:
        """A send request: (the reply, how it is to be answered). What is not understood becomes a
        flash call.
        """
        sms = body.get("sms")
        if isinstance(sms, dict) and "number" not in body:
            return self._send_sms(sms)
        number = "".join(filter(str.isdigit, str(body.get("number", ""))))
        if not number:
            raise Refusal("number_is_empty")
        if not 10 <= len(number) <= 15:
            raise Refusal("number_not_valid")
        voice, flashcall = body.get("voice"), body.get("flashcall")
        if voice is not None and flashcall is not None:
            raise Refusal("unknown_request")
        channel = "voice" if isinstance(voice, dict) else "flashcall"
        section = (
            voice if isinstance(voice, dict) else flashcall if isinstance(flashcall, dict) else {}
        )
        outcome = outcome_of(number, channel)
        if outcome.reply.startswith("error:"):
            raise Refusal(outcome.reply.partition(":")[2])
        code = self._code(section, flashcall, body)
        shown = self._calling_number(section, code, channel)
        row = self._ring(channel, number, code, body.get("callback_url"))
        row["from"] = shown
        if channel == "voice":
            said = f"Ваш код: {' '.join(code)}."
            row["says"] = (
                f"{said} Повторяю. {said}" if str(section.get("repeat", "0")) == "1" else said
            )
        self._schedule(row, outcome.states, outcome.callbacks)
        reply = {
            "result": "ok",
            "id": row["id"],
            "number": number,
            "price": row["price"],
            "code": code,
        }
        if outcome.reply == "no_code":
            del reply["code"]
        elif outcome.reply == "number_id":
            reply["id"] = int(row["id"])
        return reply, outcome.reply

    def _send_sms(self, sms: Row) -> tuple[Row, str]:
        earlier = self._find(str(sms.get("id", "")))
        if earlier is None:
            raise Refusal("ID_Not_Found")
        outcome = outcome_of(earlier["number"], "sms")
        request_id = None if outcome.sms_has_own_id else earlier["id"]
        row = self._ring(
            "sms", earlier["number"], earlier["code"], earlier["callback_url"], request_id
        )
        row |= {"text": f"Ваш код: {row['code']}", "follows": earlier["id"]}
        self._schedule(row, outcome.sms_states, outcome.callbacks)
        # The slip of the document: a leading space in the key.
        return {
            "result": "ok",
            "id": row["id"],
            "number": row["number"],
            "price": row["price"],
            " message": row["text"],
        }, "ok"

    def get(self, body: Row) -> Row:
        """A get request: balance, state or daily."""
        kind = body.get("request")
        if kind == "balance":
            return {"result": "ok", "balance": f"{self.balance:.2f}", "currency": "Rub"}
        if kind == "state":
            row = self._find(str(body.get("id", "")), newest=True)
            if row is None:
                raise Refusal("ID_Not_Found")
            return {"result": "ok", "data": self._statistics_row(row)}
        if kind == "daily":
            date = str(body.get("date", ""))
            if not date:
                raise Refusal("Date_is_Empty")
            with self._lock:
                rows = [
                    self._statistics_row(row)
                    for row in self.calls
                    if row["date"].strftime("%d.%m.%Y") == date
                ]
            return {"result": "ok", "rows": str(len(rows)), "data": rows}
        raise Refusal("unknown_request")

    def age(self, days: int) -> None:
        """Everything that rang was so many days earlier."""
        with self._lock:
            for row in self.calls:
                row["date"] -= timedelta(days=days)

    def note(self, address: str, body: Any, result: str) -> None:
        """Keep that a request came: also one that was refused, which no call tells of."""
        asked = body if isinstance(body, dict) else {}
        with self._lock:
            self.requests.append(
                {"address": address, "number": str(asked.get("number", "")), "result": result}
            )

    def ledger(self, number: str = "") -> Row:
        """Everything that came and rang, oldest first, whether or not its asker got an answer."""
        with self._lock:
            return {
                "balance": f"{self.balance:.2f}",
                "requests": [
                    dict(one) for one in self.requests if not number or one["number"] == number
                ],
                "calls": self._shown(number, len(self.calls)),
                "callbacks": [dict(one) for one in self.callbacks],
            }

    def newest(self, number: str = "", limit: int = 50) -> list[Row]:
        """The last calls and texts to a number or to any, oldest first."""
        with self._lock:
            return self._shown(number, limit)

    def _shown(self, number: str, limit: int) -> list[Row]:
        chosen = (row for row in reversed(self.calls) if not number or row["number"] == number)
        return [{**row, "date": row["date"].isoformat()} for row in islice(chosen, limit)][::-1]

    def _code(self, section: Row, flashcall: Any, body: Row) -> str:
        if "code" in section:
            code = str(section["code"])
            if not (len(code) == 4 and code.isascii() and code.isdigit()):
                raise Refusal("code_not_valid")
            return code
        if isinstance(flashcall, dict):
            raise Refusal("code_not_valid")
        capacity = str(body.get("capacity", "4"))
        length = min(max(int(capacity), 4), 10) if capacity.isdigit() and len(capacity) < 3 else 4
        return "".join(self._random.choices("0123456789", k=length))

    def _calling_number(self, section: Row, code: str, channel: str) -> str:
        ani = section.get("ani")
        if ani is not None:
            if not str(ani).isdigit():
                raise Refusal("ani_phone_not_valid")
            return str(ani)
        if channel == "voice" and "code" in section:
            return "7495" + "".join(self._random.choices("0123456789", k=7))
        return ("7495" + "".join(self._random.choices("0123456789", k=7)))[: 11 - len(code)] + code

    def _ring(
        self, channel: str, number: str, code: str, callback_url: Any, request_id: str | None = None
    ) -> Row:
        with self._lock:
            price = PRICES[channel]
            if self.balance < price:
                raise Refusal("not_enough_money")
            self.balance -= price
            self._sequence += 1
            row: Row = {
                "id": request_id or str(100000 + self._sequence),
                "number": number,
                "channel": channel,
                "code": code,
                "from": "",
                "says": "",
                "text": "",
                "price": f"{price:.2f}",
                "state": "QUEUED" if channel == "sms" else "DIALING",
                "duration": 0,
                "date": datetime.now(MOSCOW),
                "callback_url": callback_url if isinstance(callback_url, str) else None,
                "follows": None,
            }
            self.calls.append(row)
            self._by_id.setdefault(row["id"], []).append(row)
            return row

    def _find(self, request_id: str, newest: bool = False) -> Row | None:
        """The call of this id; where an SMS shares it, the first of them or the ``newest``."""
        with self._lock:
            rows = self._by_id.get(request_id)
            return rows[-1 if newest else 0] if rows else None

    def _statistics_row(self, row: Row) -> Row:
        return {
            "id": row["id"],
            "number": row["number"],
            "date": row["date"].strftime("%d.%m.%Y %H:%M:%S"),
            "duration": f"{row['duration'] // 60:02}:{row['duration'] % 60:02}",
            "price": row["price"],
            "service": SERVICES[row["channel"]],
            "state": RUSSIAN.get(row["state"], row["state"]),
        }

    def _schedule(self, row: Row, states: tuple[str, ...], how: str) -> None:
        if how == "early":
            self._report({"row": row, "state": states[-1], "how": how, "tries": 0})
            return
        if how == "reversed":
            # A call has one report: an older one is made up for it, so that there is an order to
            # break.
            states = states[::-1] if row["channel"] == "sms" else (*states[::-1], "DIALING")
        delay = self.callback_delay + (10 if how == "late" else 0)
        for step, state in enumerate(states, start=1):
            for _ in range(2 if how == "twice" else 1):
                self._later(delay * step, {"row": row, "state": state, "how": how, "tries": 0})

    def _later(self, seconds: float, report: Row) -> None:
        with self._is_due:
            self._sequence += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._sequence, report))
            self._is_due.notify()

    def _deliver(self) -> None:
        while True:
            with self._is_due:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._is_due.wait(wait)
                    continue
                report = heapq.heappop(self._due)[2]
            threading.Thread(target=self._report, args=(report,), daemon=True).start()

    def _report(self, report: Row) -> None:
        row, state = report["row"], report["state"]
        with self._lock:
            if report["how"] != "reversed" or row["state"] in ("DIALING", "QUEUED"):
                row["state"] = state
            row["duration"] = 4 if row["state"] == "ANSWERED" else 0
        if not row["callback_url"] or report["how"] == "never":
            return
        body = {
            "id": row["id"],
            "number": row["number"],
            "duration": str(row["duration"]),
            "state": state,
        }
        body |= {"price": row["price"], "date": row["date"].strftime("%Y-%m-%d %H:%M:%S")}
        is_form = report["how"] == "form"
        data = urllib.parse.urlencode(body).encode() if is_form else json.dumps(body).encode()
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        status = _post(row["callback_url"], data, kind)
        with self._lock:
            self.callbacks.append({"id": row["id"], "state": state, "status": status})
        report["tries"] += 1
        if not 200 <= status < 300 and report["tries"] < CALLBACK_TRIES:
            self._later(2.0 ** report["tries"], report)


def _post(url: str, data: bytes, content_type: str) -> int:
    """The status of the answer; 0 where none came."""
    if not url.startswith(("http://", "https://")):
        return 0
    request = urllib.request.Request(url, data, {"Content-Type": content_type})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # http alone: see above  # noqa: S310  # nosec B310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except (OSError, ValueError):
        return 0
