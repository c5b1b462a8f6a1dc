"""A project whose router puts the app's rows into another database: the default one is not used.

The default database is not configured, so that every statement and transaction on it fails.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import django
from django.conf import settings


class Router:
    def db_for_read(self, model, **hints):
        return "phones"

    db_for_write = db_for_read


settings.configure(
    SECRET_KEY="only-for-the-tests-and-long-enough-for-sha256",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "django_voicepassword",
    ],
    AUTHENTICATION_BACKENDS=["django_voicepassword.backends.PhoneBackend"],
    # Any use of the default database raises ImproperlyConfigured.
    DATABASES={
        "default": {},
        "phones": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    },
    DATABASE_ROUTERS=["__main__.Router"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    VOICEPASSWORD={
        "TRANSPORT": "__main__.Provider",
        "DISPATCH": "inline",
        "DAILY_BUDGET": 10,
        "RESEND_AFTER": 0,
        "TEST_NUMBERS": {"79990000009": "0042"},
        "LIMITS": {"phone": ["2/h"], "phone_guesses": ["5/h"]},
    },
)
django.setup()
from datetime import timedelta
from decimal import Decimal
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import transaction
from django.db.models.signals import pre_save
from django.utils import timezone
from django_voicepassword import limits, signals, verifications
from django_voicepassword.calls import recording
from django_voicepassword.exceptions import (
    AccountRefused,
    RateLimited,
    Unavailable,
    UnreadableReply,
    WrongCode,
)
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from django_voicepassword.provider.protocol import SendReply, parse_report
from django_voicepassword.security import codes


class Provider:
    answers = []

    def flash_call(self, number, **options):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    voice_call = flash_call


ACCEPTED = SendReply(id="77", price=Decimal("0.50"))
call_command("migrate", database="phones", verbosity=0)
senders = []
receive = lambda signal, sender, **values: senders.append(sender.__name__)
for signal in (signals.call_placed, signals.phone_verified, signals.verification_failed):
    signal.connect(receive, weak=False)


def start(number, *answers):
    Provider.answers[:] = answers
    return verifications.start(number)


first = start("79990000001", ACCEPTED)
wrong = f"{(int(codes.make(first.id)) + 1) % 10000:04}"
try:
    verifications.check(first.id, wrong)
except WrongCode:
    pass
user = authenticate(None, verification=first.id, voicepassword_code=codes.make(first.id))
assert user.pk
assert senders == ["CallRequest", "Verification", "Verification"], senders
report = parse_report({"id": "77", "number": "79990000001", "state": "BUSY"})
assert recording.record(first.calls.get().pk, report, "callback").pk
assert first.calls.get().state == "busy"
assert recording.record(first.calls.get().pk, parse_report({"state": "BUSY"}), "poll").pk

try:
    start("79990000001", AccountRefused("User_Disabled"))
except Unavailable:
    pass
assert CallRequest.objects.latest("pk").state == "refused"
assert circuit.refusal().error_code == "User_Disabled"
circuit.note_balance(Decimal(500))
assert circuit.refusal() is None
unknown = start("79990000001", UnreadableReply("not JSON"))
assert unknown.calls.get().state == "unknown"
try:
    verifications.resend(unknown.id)
except RateLimited as error:
    assert error.limit == "phone"
with_fixed_code = verifications.start("79990000009")
assert verifications.check(with_fixed_code.id, "0042").status == "approved"

now = timezone.now()
limits.give_back(unknown.calls.get())
limits.adjust_budget(now, Decimal("-0.35"))
limits.adjust_budget(now, Decimal("0.35"))
LimitCounter.objects.filter(key="phone:79990000001").update(events='{"2/h":[[9999999999999,2]]}')
try:
    verifications.start("79990000001")
except limits.ClockSkewRateLimited:
    pass
assert "9999999999999" not in LimitCounter.objects.get(key="phone:79990000001").events
assert [limits.raise_alarm("balance") for _ in range(2)] == [True, False]


# The verification and its call are inserted together or not at all.
def fail(*args, **kwargs):
    raise ArithmeticError


counts = CallRequest.objects.count(), Verification.objects.count()
pre_save.connect(fail, sender=CallRequest)
for number in ("79990000002", "79990000009"):
    try:
        verifications.start(number)
    except ArithmeticError:
        pass
assert counts == (CallRequest.objects.count(), Verification.objects.count())
assert not LimitCounter.objects.filter(key="phone:79990000002").exists()
with transaction.atomic(using="phones"):
    pre_save.disconnect(fail, sender=CallRequest)
    inside = start("79990000003", ACCEPTED)
    assert inside.calls.get().state == "queued"
assert inside.calls.get().state == "placed"
print("done")
"""
ROOT = Path(__file__).parents[1]


@pytest.mark.processes
def test_every_statement_uses_the_database_that_the_router_names() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
