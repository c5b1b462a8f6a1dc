"""People who log in over two web hosts, and what each of them met.

A person's program repeats a request that brought no answer, at the other host, as a load balancer
or a person would; a start with the same Idempotency-Key. Whoever was not rung for a minute asks for
another call, and whoever was told that the verification is closed, because the answer to a right
code was lost, begins again.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from queue import Empty
from typing import Any

from benchmarks.logins_subscribers import Phones, address_of, number_of

#: Seconds for a connection and for an answer, before a request is repeated; and until the host is
#: tried again.
CONNECT, ANSWER, AVOIDED = 3.0, 15.0, 5.0
#: How often a request is repeated, and the pause after "try again later".
TRIES, PAUSE = 8, 1.0
#: Seconds that a person waits for the phone: more than RESEND_AFTER.
RING = 62.0
#: How often a person begins, and how many of them give up when the phone has rung: one in N.
ROUNDS, GIVES_UP = 3, 33
STARTS, LOGIN, RESEND = "verifications/", "login/", "verifications/{}/resend/"


class WrongAnswer(Exception):
    """An answer that nobody should get."""


class NoAnswer(Exception):
    """A request brought no answer, however often it was repeated."""


class Balancer:
    """Chooses the hosts in turn, but for a while none that just failed."""

    def __init__(self, hosts: list[tuple[str, int]]) -> None:
        self._hosts = hosts
        self._turns = itertools.count()
        self._failed_until = dict.fromkeys(hosts, 0.0)

    def choose(self) -> tuple[str, int]:
        turn, now = next(self._turns), time.monotonic()
        usable = [host for host in self._hosts if self._failed_until[host] < now] or self._hosts
        return usable[turn % len(usable)]

    def note_failure(self, host: tuple[str, int]) -> None:
        self._failed_until[host] = time.monotonic() + AVOIDED


class Person:
    """One person. ``line`` has the moments of the login, and Counters of what went wrong."""

    def __init__(self, turn: int, number: str, balancer: Balancer, device: str = "") -> None:
        self.number = number
        self.met: Counter[str] = Counter()
        self.line: dict[str, Any] = {"number": number, "met": self.met, "verifications": []}
        self._headers = {
            "Content-Type": "application/json",
            "Accept-Language": "en",
            "X-Forwarded-For": address_of(turn),
            "Connection": "close",
            **({"X-VoicePassword-Device": device} if device else {}),
        }
        self._balancer = balancer
        self._gives_up = turn % GIVES_UP == 0

    def log_in(self, phones: Phones) -> None:
        self.line["began"] = time.monotonic()
        phones.watch(self.number)
        try:
            for _ in range(ROUNDS):
                verification = self.start()
                if self._try_codes(verification, phones):
                    return
            raise WrongAnswer(f"no login in {ROUNDS} rounds")
        finally:
            phones.forget(self.number)
            self.line["left"] = time.monotonic()

    def start(self) -> str:
        """Ask for a call. Raises WrongAnswer, also for a limit."""
        answer = self._ring_for(STARTS, 201, phone=self.number)
        self.line["verifications"].append(answer["id"])
        return str(answer["id"])

    def _try_codes(self, verification: str, phones: Phones) -> bool:
        """Type the code of each ring; False where the person has to begin again."""
        self.line["waits"] = time.monotonic()
        while (ring := self._wait(verification, phones)) is not None:
            self.line.setdefault("rang", ring["at"])
            if self._gives_up:
                self.line["gave_up"] = True
                return True
            lost_before = self._lost_answers
            body = {"verification": verification, "code": ring["code"]}
            status, answer = self._ask(LOGIN, {}, **body)
            if status == 200:
                now = time.monotonic()
                self.line |= {"ended": now, "user": answer["user"]["id"], "by": verification}
                self.line["device"] = answer["device"]
                return True
            if answer.get("code") == "wrong_code":
                # The call of an earlier round rang late.
                self.met["a late ring"] += 1
                continue
            is_spent = answer.get("code") == "verification_closed"
            if is_spent and self._lost_answers > lost_before:
                self.met["an answer to a right code lost"] += 1
                return False
            raise WrongAnswer(f"login answered {status} {answer.get('code')}")
        return False

    @property
    def _lost_answers(self) -> int:
        """Requests of a login that may have been done although no answer said so."""
        return self.met["no answer to a login"] + self.met["a login answered try again later"]

    def _wait(self, verification: str, phones: Phones) -> dict[str, Any] | None:
        """The next ring; None where the phone stays silent, also after a second call."""
        for is_last in (False, True):
            try:
                return phones.ring(self.number, RING)
            except Empty:
                self.met["a minute without a ring"] += 1
            if not is_last:
                self._ring_for(RESEND.format(verification), 200)
        return None

    def _ring_for(self, path: str, expected: int, **body: str) -> dict[str, Any]:
        status, answer = self._ask(path, {"Idempotency-Key": str(uuid.uuid4())}, **body)
        if status != expected:
            raise WrongAnswer(f"{path[:14]} answered {status} {_reason(answer)}")
        return answer

    def _ask(self, path: str, headers: dict[str, str], **body: str) -> tuple[int, dict[str, Any]]:
        """Repeat a request until it is answered; 503 ``unavailable`` is an answer to repeat at."""
        what = "a login" if path == LOGIN else "a start"
        for _ in range(TRIES):
            host = self._balancer.choose()
            try:
                status, answer = _post(host, path, {**self._headers, **headers}, body)
            except (OSError, http.client.HTTPException):
                self._balancer.note_failure(host)
                self.met[f"no answer to {what}"] += 1
                continue
            if status != 503 or answer.get("code") != "unavailable":
                return status, answer
            self.met[f"{what} answered try again later"] += 1
            time.sleep(PAUSE)
        raise NoAnswer(f"{what} was not answered {TRIES} times")


def _reason(answer: dict[str, Any]) -> str:
    return " ".join(str(answer[key]) for key in ("code", "limit") if key in answer)


def _post(
    host: tuple[str, int], path: str, headers: dict[str, str], body: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """Ask on a new connection, as from nginx with its default settings."""
    with closing(http.client.HTTPConnection(*host, timeout=CONNECT)) as connection:
        connection.connect()
        assert connection.sock is not None
        connection.sock.settimeout(ANSWER)
        connection.request("POST", f"/api/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
    try:
        decoded = json.loads(text)
    except ValueError:
        decoded = {"code": f"no JSON: {text[:80]!r}"}
    return answer.status, decoded


class Crowd:
    """People who come one after another to a number of places; ``lines`` has one line for each."""

    def __init__(self, balancer: Balancer, phones: Phones) -> None:
        self._balancer, self._phones = balancer, phones
        self.turns = itertools.count(1)
        self.lines: list[dict[str, Any]] = []
        #: Set when nobody new is to come.
        self.is_closed = threading.Event()

    def log_in(self, count: int, places: int) -> list[threading.Thread]:
        """Begin ``count`` logins; the threads of the places, which end by themselves."""
        todo = iter(range(count))
        lock = threading.Lock()

        def run() -> None:
            while not self.is_closed.is_set():
                with lock:
                    if next(todo, None) is None:
                        return
                    turn, number = self._new()
                person = Person(turn, number, self._balancer)
                _note_errors(person, lambda: person.log_in(self._phones))  # noqa: B023
                self.lines.append(person.line)

        return _start(run, places)

    def ring_until_refused(
        self, who: Iterable[tuple[str, str]] | None, most: int, places: int
    ) -> list[dict[str, Any]]:
        """Have people ask for calls, at all places at once, until each place is refused.

        ``who``: numbers and their devices; None: new numbers without one. Nobody types a code. At
        most ``most`` ask. Their lines; that of a refusal has "error".
        """
        lines: list[dict[str, Any]] = []
        known = iter(who) if who is not None else None
        todo = iter(range(most))
        lock = threading.Lock()

        def run() -> None:
            while not self.is_closed.is_set():
                with lock:
                    turn, number = self._new()
                    one = next(known, None) if known is not None else (number, "")
                    if next(todo, None) is None or one is None:
                        return
                person = Person(turn, one[0], self._balancer, one[1])
                _note_errors(person, person.start)
                lines.append(person.line)
                if "error" in person.line:
                    return

        for thread in _start(run, places):
            thread.join()
        return lines

    def _new(self) -> tuple[int, str]:
        for turn in self.turns:
            number = number_of(turn)
            if number is not None:
                return turn, number
        raise AssertionError("unreachable")


def _note_errors(person: Person, act: Callable[[], object]) -> None:
    try:
        act()
    except (WrongAnswer, NoAnswer) as error:
        person.line["error"] = str(error)


def _start(run: Callable[[], None], places: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=run, daemon=True) for _ in range(places)]
    for thread in threads:
        thread.start()
    return threads
