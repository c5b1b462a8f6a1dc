"""Subscribers that log in, one login after the other (a closed loop). Each login has another number
and another address.

    python -m benchmarks.logins_subscribers WEB_PORT PIPE RESULT SUBSCRIBERS SECONDS

A subscriber asks for a call, types the code as soon as the phone rings, and gets a session. RESULT
gets a line of JSON for each login: the moments when it began, when the start was answered, when the
phone rang, when the code was typed, and when the session was there; or the error.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

#: Seconds to wait for a ring, and for an answer of the site.
PATIENCE = 60
#: Turn N has the number N * STEP % ALL. So each of a billion numbers comes once, and numbers that
#: follow each other are far apart in an index.
STEP, ALL = 387_420_489, 10**9
#: Prefixes to leave out: numbers that no subscriber has, and the magic numbers of the sandbox.
UNUSED = ("7930", "79990000")


def number_of(turn: int) -> str | None:
    """The number that a turn has; None if nobody has it."""
    number = f"79{turn * STEP % ALL:09}"
    return None if number.startswith(UNUSED) else number


def address_of(turn: int) -> str:
    return f"10.{turn >> 16 & 255}.{turn >> 8 & 255}.{turn & 255}"


class Phones:
    """Hands the code of each ring to the subscriber that waits for it."""

    def __init__(self, pipe: Path) -> None:
        self._waiting: dict[str, SimpleQueue[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()

    def watch(self, number: str) -> None:
        self._waiting[number] = SimpleQueue()

    def ring(self, number: str, patience: float = PATIENCE) -> dict[str, Any]:
        """The next ring of a number that is watched. Raises Empty."""
        return self._waiting[number].get(timeout=patience)

    def forget(self, number: str) -> None:
        self._waiting.pop(number, None)

    def _listen(self, pipe: Path) -> None:
        with pipe.open() as rings:
            for line in rings:
                ring = json.loads(line)
                waiting = self._waiting.get(ring["number"])
                if waiting is not None:
                    waiting.put(ring)


class Subscriber(threading.Thread):
    def __init__(self, port: int, phones: Phones, turns: Any, ends: float) -> None:
        super().__init__()
        self._port, self._phones, self._turns, self._ends = port, phones, turns, ends
        self.lines: list[dict[str, Any]] = []

    def run(self) -> None:
        while time.monotonic() < self._ends:
            turn = next(self._turns)
            number = number_of(turn)
            if number is None:
                continue
            line: dict[str, Any] = {}
            try:
                self._log_in(number, address_of(turn), line)
            except (AssertionError, OSError, http.client.HTTPException, Empty) as error:
                line["error"] = f"{type(error).__name__}: {error}"
            finally:
                self._phones.forget(number)
            self.lines.append(line)

    def _log_in(self, number: str, address: str, line: dict[str, Any]) -> None:
        self._phones.watch(number)
        line |= {"number": number, "began": time.monotonic()}
        line["verification"] = self._ask("verifications/", 201, address, phone=number)["id"]
        line["started"] = time.monotonic()
        ring = self._phones.ring(number)
        line |= {"rang": ring["at"], "typed": time.monotonic()}
        line["user"] = self._ask(
            "login/", 200, address, verification=line["verification"], code=ring["code"]
        )["user"]["id"]
        line["ended"] = time.monotonic()

    def _ask(self, path: str, expected: int, address: str, **body: str) -> Any:
        headers = {
            "Content-Type": "application/json",
            "Accept-Language": "en",
            "X-Forwarded-For": address,
        }
        # A new connection for each request, as from nginx with its default settings.
        with closing(
            http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        ) as connection:
            connection.request(
                "POST", f"/api/{path}", json.dumps(body), {**headers, "Connection": "close"}
            )
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == expected, f"{path} answered {answer.status} {text[:200]!r}"
        return json.loads(text)


def main() -> None:
    port, pipe, result, count, seconds = sys.argv[1:]
    ends = time.monotonic() + float(seconds)
    phones, turns = Phones(Path(pipe)), itertools.count(1)
    subscribers = [Subscriber(int(port), phones, turns, ends) for _ in range(int(count))]
    for subscriber in subscribers:
        subscriber.start()
    for subscriber in subscribers:
        subscriber.join()
    Path(result).write_text(
        "".join(f"{json.dumps(line)}\n" for subscriber in subscribers for line in subscriber.lines)
    )


if __name__ == "__main__":
    main()
