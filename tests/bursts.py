"""Bursts from several processes at once, against a real database: exactly what is allowed gets
through.

python -m tests.bursts                                             # SQLite, with plain settings
python -m tests.bursts postgres://postgres@127.0.0.1:5432/bursts   # an empty database
python -m tests.bursts mysql://root@127.0.0.1:3306/bursts
"""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROCESSES, TRIES = 5, 10

#: Each burst: what every process does ``TRIES`` times, and what must come of all of them together.
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
}

_WORKER = """
import collections, json, sys, django
from django.conf import settings
django.setup()
from decimal import Decimal
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django_voicepassword import verifications
from django_voicepassword.models import LimitCounter
from django_voicepassword.testing import outbox

usual = settings.VOICEPASSWORD
limits = {"phone": [], "ip": [], "phone_guesses": []}
keys = {
    "start": {"LIMITS": {**limits, "phone": ["3/10m"]}},
    # Only queued: a pretended call costs nothing, and gives back what was reserved.
    "spend": {"LIMITS": limits, "DAILY_BUDGET": Decimal("2.45"), "DISPATCH": "celery"},
    "address": {"LIMITS": {**limits, "ip": ["20/h"]}},
    "resend": {"LIMITS": limits, "RESEND_AFTER": 0},
}
request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
numbers = iter(range(int(sys.argv[1]) * 10000, 10**6))
if len(sys.argv) > 2:
    connection.settings_dict["NAME"] = sys.argv[2]


def prepare(given):
    call_command("migrate", verbosity=0)
    LimitCounter.objects.all().delete()
    verification = verifications.start("79990000001")
    LimitCounter.objects.all().delete()
    return {"id": str(verification.id), "code": outbox[-1].code}


def repeat(given):
    settings.VOICEPASSWORD = {**usual, **keys.get(given["what"], {"LIMITS": limits})}
    wrong = f"{(int(given['code']) + 1) % 10000:04}"
    action = {
        "start": lambda: verifications.start("79990000002"),
        "guess": lambda: verifications.check(given["id"], wrong),
        "resend": lambda: verifications.resend(given["id"]),
        "approve": lambda: verifications.check(given["id"], given["code"]),
        "spend": lambda: verifications.start(f"7999{next(numbers):07}"),
        "address": lambda: verifications.start(f"7999{next(numbers):07}", request=request),
    }[given["what"]]
    told = collections.Counter()
    for _ in range(given["tries"]):
        try:
            outcome = action()
        except Exception as error:
            outcome = error
        told[type(outcome).__name__] += 1
    return told


for line in sys.stdin:
    given = json.loads(line)
    print(json.dumps(prepare(given) if given["what"] == "prepare" else repeat(given)), flush=True)
"""


class Bursts:
    """``with Bursts(address, file) as bursts: bursts.run("start")``; the database is empty at
    first.
    """

    def __init__(self, address: str, file: str = "") -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", _WORKER, str(number), *([file] if file else [])],
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
            for number in range(PROCESSES)
        ]

    def __enter__(self) -> Bursts:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in self._processes:
            process.communicate(timeout=30)

    def run(self, what: str) -> dict[str, int]:
        """What came of one burst: name of the result or of the error -> how often."""
        (given,) = self._ask(self._processes[:1], {"what": "prepare"})
        told: collections.Counter[str] = collections.Counter()
        for answer in self._ask(self._processes, {"what": what, "tries": TRIES, **given}):
            told.update(answer)
        return dict(told)

    def _ask(self, processes: list[subprocess.Popen[str]], order: dict[str, Any]) -> list[Any]:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{json.dumps(order)}\n")
            process.stdin.flush()
        answers = []
        for process in processes:
            assert process.stdout is not None
            answers.append(json.loads(process.stdout.readline()))
        return answers


def main() -> int:
    address = sys.argv[1] if len(sys.argv) > 1 else ""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        file = "" if address else str(Path(folder) / "bursts.sqlite3")
        with Bursts(address, file) as bursts:
            for title, (what, expected) in BURSTS.items():
                began = time.monotonic()
                told = bursts.run(what)
                seconds = time.monotonic() - began
                failed += told != expected
                print(
                    f"{'exact' if told == expected else 'WRONG':6} {title}: {told} ({seconds:.1f} s)",
                    flush=True,
                )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
