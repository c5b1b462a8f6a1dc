"""People who log in, one login after the other, each with a number and an address of its own: a
closed loop.

    python -m benchmarks.logins_people WEB_PORT PIPE RESULT PEOPLE SECONDS

A person asks for a call, types the code as soon as the phone rings, and has a session. RESULT has a
line of JSON for each login: when it began, was answered, rang, when the code was typed and the
session was there; or what went wrong.
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

#: Seconds that a phone may take to ring, and a page to answer.
PATIENCE = 60
#: All numbers of a billion, each once, so that neighbours in time are none in an index.
STEP, ALL = 387_420_489, 10**9
#: No numbers of anybody, and the magic ones of the sandbox.
UNUSED = ("7930", "79990000")


class Phones:
    """The code that a number was rung with, as soon as it rings."""

    def __init__(self, pipe: Path) -> None:
        self._waiting: dict[str, SimpleQueue[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()

    def watch(self, number: str) -> None:
        self._waiting[number] = SimpleQueue()

    def ring(self, number: str) -> dict[str, Any]:
        try:
            return self._waiting[number].get(timeout=PATIENCE)
        finally:
            del self._waiting[number]

    def _listen(self, pipe: Path) -> None:
        with pipe.open() as rings:
            for line in rings:
                told = json.loads(line)
                if told["number"] in self._waiting:
                    self._waiting[told["number"]].put(told)


class Person(threading.Thread):
    def __init__(self, port: int, phones: Phones, turns: Any, ends: float) -> None:
        super().__init__()
        self._port, self._phones, self._turns, self._ends = port, phones, turns, ends
        self.lines: list[dict[str, Any]] = []

    def run(self) -> None:
        while time.monotonic() < self._ends:
            turn = next(self._turns)
            number = f"79{turn * STEP % ALL:09}"
            if number.startswith(UNUSED):
                continue
            line: dict[str, Any] = {}
            try:
                self._log_in(number, f"10.{turn >> 16 & 255}.{turn >> 8 & 255}.{turn & 255}", line)
            except (AssertionError, OSError, http.client.HTTPException, Empty) as error:
                line["error"] = f"{type(error).__name__}: {error}"
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
        # A connection for each request, as from an nginx before it.
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
    port, pipe, result, people, seconds = sys.argv[1:]
    ends = time.monotonic() + float(seconds)
    phones, turns = Phones(Path(pipe)), itertools.count(1)
    crowd = [Person(int(port), phones, turns, ends) for _ in range(int(people))]
    for person in crowd:
        person.start()
    for person in crowd:
        person.join()
    Path(result).write_text(
        "".join(f"{json.dumps(line)}\n" for person in crowd for line in person.lines)
    )


if __name__ == "__main__":
    main()
