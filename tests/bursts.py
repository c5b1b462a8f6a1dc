"""Bursts of requests from several processes against one database: exactly the limit gets through.

``tests/test_bursts.py`` runs the same bursts on every database.

python -m tests.bursts                                             # SQLite, with plain settings
python -m tests.bursts --all                                       # 500 tries for each N too
python -m tests.bursts postgres://postgres@127.0.0.1:5432/bursts   # an empty database
python -m tests.bursts mysql://root@127.0.0.1:3306/bursts
"""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.ask_processes import ask

ROOT = Path(__file__).parents[1]
PROCESSES = 5
#: Requests of a burst, of all processes together.
TRIES, MANY_TRIES = 50, 500


def split(action: str, allowed: int, tries: int) -> tuple[str, dict[str, int]]:
    """A burst on a counter of several rows, which allows so many starts."""
    refusal = "BudgetExhausted" if action == "pay" else "RateLimited"
    accepted = min(allowed, tries)
    outcomes = {"Verification": accepted, refusal: tries - accepted}
    return f"{action} {allowed}", {name: count for name, count in outcomes.items() if count}


def _title(action: str, allowed: int, tries: int) -> str:
    what = {"site": "the limit site", "pay": "money"}[action]
    return f"{tries} starts, {what} for {allowed}"


#: Bursts on split counters: which of them, what it allows, how many tries.
SPLIT = [
    (action, allowed, tries)
    for tries in (TRIES, MANY_TRIES)
    for action in ("site", "pay")
    for allowed in (1, 7, 64, 10_000)
]
#: Those of the test suite; ``--all`` runs the others too.
TESTED = [("site", 1, TRIES), ("site", 64, 2 * TRIES), ("pay", 64, TRIES)]

#: Title -> (action that the processes repeat, expected outcomes of all of them).
BURSTS: dict[str, tuple[str, dict[str, int]]] = {
    "starts for one number (phone 3/10m)": ("start", {"Verification": 3, "RateLimited": 47}),
    "wrong guesses in one verification (MAX_ATTEMPTS 5)": (
        "guess",
        {"WrongCode": 5, "TooManyAttempts": 45},
    ),
    "resends of one verification (MAX_SENDS 3)": ("resend", {"Verification": 2, "RateLimited": 48}),
    "right guesses (a code works once)": ("approve", {"Verification": 1, "VerificationClosed": 49}),
    "starts for many numbers with money for 7 (DAILY_BUDGET)": (
        "spend",
        {"Verification": 7, "BudgetExhausted": 43},
    ),
    "starts for many numbers from one address (ip 20/h)": (
        "address",
        {"Verification": 20, "RateLimited": 30},
    ),
    # There is room for one send of each process: it is given back by its approval.
    "starts and approvals from one address (ip 5/h)": ("return", {"Verification": 50}),
    **{_title(*burst): split(*burst) for burst in TESTED},
}

#: Imports once what its processes need, forks them, and asks all of them what it is asked.
_PROGRAM = """
import collections, json, os, socket, sys, django
from django.conf import settings
django.setup()
from decimal import Decimal
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django_voicepassword import verifications
from django_voicepassword.models import LimitCounter
from django_voicepassword.testing import outbox

default_settings = settings.VOICEPASSWORD
limits = {"phone": [], "ip": [], "phone_guesses": []}
settings_of_action = {
    "start": {"LIMITS": {**limits, "phone": ["3/10m"]}},
    # Only queued: the memory transport costs nothing, and a placed call would release the money.
    "spend": {
        "LIMITS": limits,
        "DAILY_BUDGET": Decimal("2.45"),
        "DISPATCH": "celery",
        "PROVEN_SHARE": 0,
    },
    "address": {"LIMITS": {**limits, "ip": ["20/h"]}},
    "resend": {"LIMITS": limits, "RESEND_AFTER": 0},
    "return": {"LIMITS": {**limits, "ip": ["5/h"], "site": ["20/h"]}},
}


def settings_of(action, allowed):
    if action == "site":
        return {"LIMITS": {**limits, "site": [f"{allowed}/h"]}, "FRAUD_GUARD": "off"}
    if action == "pay":
        money = {"DAILY_BUDGET": Decimal("0.35") * int(allowed), "PROVEN_SHARE": 0}
        return {"LIMITS": limits, "DISPATCH": "celery", "FRAUD_GUARD": "off", **money}
    return settings_of_action.get(action, {"LIMITS": limits})


request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
if len(sys.argv) > 2:
    connection.settings_dict["NAME"] = sys.argv[2]


def prepare():
    call_command("migrate", verbosity=0)
    LimitCounter.objects.all().delete()
    verification = verifications.start("79990000001")
    LimitCounter.objects.all().delete()
    return {"id": str(verification.id), "code": outbox[-1].code}


def start_and_approve():
    opened = verifications.start(f"7999{next(numbers):07}", request=request)
    return verifications.check(opened.id, outbox[-1].code)


def repeat(action, times, id, code):
    action, _, allowed = action.partition(" ")
    settings.VOICEPASSWORD = {**default_settings, **settings_of(action, allowed)}
    wrong_code = f"{(int(code) + 1) % 10000:04}"
    perform = {
        "start": lambda: verifications.start("79990000002"),
        "guess": lambda: verifications.check(id, wrong_code),
        "resend": lambda: verifications.resend(id),
        "approve": lambda: verifications.check(id, code),
        "spend": lambda: verifications.start(f"7999{next(numbers):07}"),
        "site": lambda: verifications.start(f"7999{next(numbers):07}"),
        "pay": lambda: verifications.start(f"7999{next(numbers):07}"),
        "return": start_and_approve,
        "address": lambda: verifications.start(f"7999{next(numbers):07}", request=request),
    }[action]
    outcomes = collections.Counter()
    for _ in range(times):
        try:
            outcome = perform()
        except Exception as error:
            outcome = error
        outcomes[type(outcome).__name__] += 1
    return outcomes


def fork(number):
    global numbers
    ours, other = socket.socketpair()
    if os.fork():
        with ours:
            return ours.makefile("rw")
    numbers = iter(range(number * 10000, 10**6))
    ours.close()
    # A process ends when its pipe is closed, which others must not hold.
    for file in files:
        file.close()
    file = other.makefile("rw")
    for line in file:
        arguments = json.loads(line)
        answer = repeat(**arguments) if arguments else prepare()
        print(json.dumps(answer), file=file, flush=True)
    os._exit(0)


files = []
for number in range(int(sys.argv[1])):
    files.append(fork(number))
for line in sys.stdin:
    asked = files if json.loads(line) else files[:1]
    for file in asked:
        print(line, end="", file=file, flush=True)
    print(json.dumps([json.loads(file.readline()) for file in asked]), flush=True)
for file in files:
    file.close()
for _ in files:
    os.wait()
"""


class Bursts:
    """Worker processes on one database: ``with Bursts(address) as bursts: bursts.run("start")``.

    ``address`` is a database URL; if it is empty, ``file`` is the SQLite file. The database must
    be empty.
    """

    def __init__(self, address: str, file: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(PROCESSES), *([file] if file else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "DATABASE_URL": address,
            },
        )

    def __enter__(self) -> Bursts:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=30)

    def run(self, action: str, tries: int = TRIES) -> dict[str, int]:
        """Run one burst and return how often each type of result or error came."""
        ((verification,),) = ask([self._process], {})
        question = {"action": action, "times": tries // PROCESSES, **verification}
        outcomes: collections.Counter[str] = collections.Counter()
        (counted,) = ask([self._process], question)
        for counts in counted:
            outcomes.update(counts)
        return dict(outcomes)


def main() -> int:
    arguments = sys.argv[1:]
    chosen = dict(BURSTS)
    if "--all" in arguments:
        arguments.remove("--all")
        chosen |= {_title(*burst): split(*burst) for burst in SPLIT}
    address = arguments[0] if arguments else ""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        file = "" if address else str(Path(folder) / "bursts.sqlite3")
        with Bursts(address, file) as bursts:
            for title, (action, expected) in chosen.items():
                started = time.monotonic()
                outcomes = bursts.run(action, sum(expected.values()))
                seconds = time.monotonic() - started
                verdict = "exact" if outcomes == expected else "WRONG"
                failures += outcomes != expected
                print(f"{verdict:6} {title}: {outcomes} ({seconds:.1f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
