"""A guess meets what others write between its read, its locks and its count."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_voicepassword import verifications
from django_voicepassword.accounts import devices, person
from django_voicepassword.calls import replies
from django_voicepassword.exceptions import VerificationError, VerificationExpired, WrongCode
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from django_voicepassword.security import trusted_devices
from django_voicepassword.testing import Sent
from tests.concurrency import other_writes, run_at_once
from tests.isolation import isolation

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "79991234567"
COUNTERS = "django_voicepassword_limitcounter"


@pytest.fixture(autouse=True)
def _unlimited(configure: Callable[..., None]) -> None:
    configure(LIMITS={"phone": [], "ip": ["20/h"]}, FRAUD_GUARD="off", RESEND_AFTER=0)


def start(request: Any = None) -> Verification:
    return verifications.start(PHONE, request=request)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


def ignore(work: Callable[[], object]) -> None:
    try:
        work()
    except VerificationError:
        pass


def test_the_transaction_of_a_guess_on_a_known_device_begins_with_a_write(
    outbox: list[Sent],
) -> None:
    """On SQLite one that begins with a read cannot wait for another writer."""
    request = RequestFactory().get("/")
    token = devices.remember(request, PHONE)
    verification = start()
    request.COOKIES[trusted_devices.COOKIE] = token
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        verifications.check(verification.id, outbox[-1].code, request=request)
    verbs = [query["sql"].split()[0] for query in captured.captured_queries]
    assert verbs[verbs.index("SAVEPOINT") + 1] != "SELECT"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others wait for a row")
def test_guesses_at_once_in_transactions_of_the_project_wait_for_each_other(
    outbox: list[Sent],
) -> None:
    for number in range(24):
        verifications.start(f"799900000{number:02}")

    def check(sent: Sent) -> None:
        with transaction.atomic():
            verifications.check(str(sent.verification), sent.code)

    for first in range(0, 24, 4):
        codes = outbox[first : first + 4]
        assert run_at_once([partial(check, sent) for sent in codes]) == [None] * 4


@pytest.mark.skipif(connection.vendor != "mysql", reason="other databases refuse the UPDATE")
def test_a_guess_in_a_transaction_of_the_project_sees_the_guesses_of_others(
    outbox: list[Sent],
) -> None:
    verification, code = start(), outbox[-1].code
    with isolation("repeatable read"), transaction.atomic():
        assert Verification.objects.get().attempts == 0
        run_at_once([lambda: verifications.check(verification.id, wrong(code))])
        assert verifications.check(verification.id, code).attempts == 2


def test_a_guess_leaves_no_counter_of_a_number_that_is_erased_meanwhile(
    outbox: list[Sent],
) -> None:
    verification, code = start(), outbox[-1].code
    with other_writes(lambda: person.erase(person.of_phone(PHONE)), before=COUNTERS, seconds=1):
        ignore(lambda: verifications.check(verification.id, code))
    assert not LimitCounter.objects.filter(key__contains=PHONE).exists()


def test_a_verification_that_a_faster_clock_has_expired_takes_no_guess(
    outbox: list[Sent],
) -> None:
    verification = start()
    Verification.expire_old(verification.expires_at + timedelta(seconds=1))
    with pytest.raises(VerificationExpired):
        verifications.check(verification.id, outbox[-1].code)
    with pytest.raises(VerificationExpired):
        verifications.resend(verification.id)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="nobody writes at the same time")
@pytest.mark.parametrize("is_of_project", [False, True])
def test_a_guess_and_a_send_that_is_given_back_do_not_deadlock(
    outbox: list[Sent], caplog: pytest.LogCaptureFixture, is_of_project: bool
) -> None:
    caplog.set_level(logging.INFO, "django_voicepassword")
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    verification, code = start(request), outbox[-1].code
    CallRequest.objects.update(state="placing", claimed_at=timezone.now())
    call = CallRequest.objects.select_related("verification").get()
    has_locked = threading.Event()

    def give_back() -> None:
        def wait(execute: Any, sql: str, *arguments: Any) -> Any:
            if COUNTERS in sql:
                has_locked.set()
                time.sleep(0.5)
            return execute(sql, *arguments)

        with connection.execute_wrapper(wait):
            replies.refuse(call, "unreachable", give_back=True)

    def guess() -> None:
        assert has_locked.wait(20)
        try:
            if not is_of_project:
                verifications.check(verification.id, wrong(code), request=request)
            with transaction.atomic():
                verifications.check(verification.id, wrong(code), request=request)
        except WrongCode:
            pass

    caplog.clear()
    assert run_at_once([give_back, guess]) == [None, None]
    texts = [record.getMessage() for record in caplog.records]
    assert not [text for text in texts if "rolled back" in text or "went away" in text]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="nobody writes at the same time")
def test_a_short_code_is_worth_nothing_once_the_code_is_long(outbox: list[Sent]) -> None:
    """As many sends, guesses and digits as were read, but of another code."""
    verification, code = start(), outbox[-1].code
    verifications.resend(verification.id)

    def make_long() -> None:
        now = timezone.now()
        if not Verification.count_send(verification.id, now):
            return  # The guess was faster.
        Verification.change_code(verification.id, is_long=True, code_length=5)
        # The provider makes four digits all the same, and the second call cannot be placed.
        Verification.objects.filter(id=verification.id).update(code_length=4)
        Verification.return_send(verification.id, now)

    with other_writes(make_long, before=COUNTERS, seconds=1):
        ignore(lambda: verifications.check(verification.id, code))
    verification.refresh_from_db()
    assert verification.is_long != (verification.status == "approved")
