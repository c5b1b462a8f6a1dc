"""Starting, resending, checking and proving; every attempt is counted before it is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from freezegun import freeze_time

from django_voicepassword import limits, signals, verifications
from django_voicepassword.exceptions import (
    ChannelUnavailable,
    InvalidPhone,
    InvalidProof,
    PrefixNotAllowed,
    RateLimited,
    Refused,
    TooManyAttempts,
    VerificationClosed,
    VerificationError,
    VerificationExpired,
    WrongCode,
)
from django_voicepassword.history import retention
from django_voicepassword.limits import guard
from django_voicepassword.models import CallRequest, LimitCounter, Verification
from django_voicepassword.security import codes
from django_voicepassword.testing import Sent
from django_voicepassword.verifications import Proof, channels
from django_voicepassword.verifications.description import describe
from tests.concurrency import run_at_once

PHONE = "+7 999 000-00-01"
PREMIUM = "78091234567"
NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


@pytest.mark.django_db
def test_the_right_code_approves_once(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    assert (outbox[0].channel, outbox[0].number, outbox[0].verification) == (
        "flashcall",
        "79990000001",
        verification.id,
    )
    approved = verifications.check(verification.id, outbox[0].code)
    assert approved.status == Verification.Status.APPROVED
    proof = verifications.read_proof(verifications.make_proof(approved))
    assert (proof.phone, proof.purpose, proof.verification) == (
        "79990000001",
        "login",
        verification.id,
    )
    with pytest.raises(VerificationClosed):
        verifications.check(verification.id, outbox[0].code)


@pytest.mark.django_db
def test_the_right_code_is_refused_after_the_last_guess(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    code = outbox[0].code
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, wrong_code(code))
        assert caught.value.attempts_left == left
    with pytest.raises(TooManyAttempts):
        verifications.check(verification.id, code)


@pytest.mark.django_db
def test_all_spellings_of_a_number_share_its_limits(outbox: list[Sent]) -> None:
    for spelling in ("8 (999) 000-00-01", "+7 999 000 00 01", "79990000001"):
        verifications.start(spelling)
    with pytest.raises(RateLimited) as caught:
        verifications.start("89990000001")
    assert caught.value.limit == "phone"
    assert 0 < caught.value.retry_after <= 600
    assert len(outbox) == CallRequest.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("phone", "error"), [("12", InvalidPhone), ("+1 202 555 0123", PrefixNotAllowed)]
)
def test_a_number_that_cannot_be_called_costs_nothing(
    outbox: list[Sent], phone: str, error: type[VerificationError]
) -> None:
    with pytest.raises(error):
        verifications.start(phone)
    assert not outbox
    assert not Verification.objects.exists()


@pytest.mark.django_db
def test_a_number_that_is_never_called_is_refused_before_anything_is_counted(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(ALLOWED_PREFIXES=[], BEFORE_SEND="tests.no_such_module")
    with pytest.raises(PrefixNotAllowed):
        verifications.start(PREMIUM)
    older = Verification.objects.create(
        phone=PREMIUM, sends=1, expires_at=datetime.now(timezone.utc) + timedelta(minutes=5)
    )
    with pytest.raises(PrefixNotAllowed):
        verifications.resend(older.id)
    older.refresh_from_db()
    assert older.sends == 1
    assert not outbox
    assert not CallRequest.objects.exists()
    assert not LimitCounter.objects.exists()


@pytest.mark.django_db
def test_a_resend_obeys_the_prefixes_of_now(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=0)
    verification = verifications.start(PHONE)
    configure(RESEND_AFTER=0, ALLOWED_PREFIXES=["77"])
    with pytest.raises(PrefixNotAllowed):
        verifications.resend(verification.id)
    assert len(outbox) == 1


@pytest.mark.django_db
def test_any_number_can_be_a_test_number(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(TEST_NUMBERS={PREMIUM: "48213957"}, RESEND_AFTER=0)
    verification = verifications.start(PREMIUM)
    verifications.resend(verification.id)
    assert verifications.check(verification.id, "48213957").status == Verification.Status.APPROVED
    assert not outbox


@pytest.mark.django_db
def test_an_sms_cannot_be_the_first_send_and_repeats_the_code(
    outbox: list[Sent], settings: Any
) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "RESEND_AFTER": 0}
    with pytest.raises(ChannelUnavailable):
        verifications.start(PHONE, channel="sms")
    verification = verifications.start(PHONE)
    verifications.resend(verification.id, channel="sms")
    assert [sent.channel for sent in outbox] == ["flashcall", "sms"]
    assert outbox[0].code == outbox[1].code


@pytest.mark.django_db
def test_the_code_is_nowhere_in_the_database(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    call = verification.calls.get()
    rows = [verification, call, *call.statuses.all()]
    assert f"'{outbox[0].code}'" not in str([row.__dict__ for row in rows])
    assert len(call.code_digest) == 64


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_guesses_is_cut_at_exactly_the_limit(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    wrong = wrong_code(outbox[0].code)
    results = run_at_once([lambda: verifications.check(verification.id, wrong)] * 20)
    assert (
        sorted(type(result).__name__ for result in results)
        == ["TooManyAttempts"] * 15 + ["WrongCode"] * 5
    )
    verification.refresh_from_db()
    assert verification.attempts == 5


@pytest.mark.django_db(transaction=True)
def test_two_right_guesses_at_once_approve_once(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    code = outbox[0].code
    results = run_at_once([lambda: verifications.check(verification.id, code)] * 4)
    assert sum(isinstance(result, Verification) for result in results) == 1


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_starts_rings_exactly_the_allowed_number(outbox: list[Sent]) -> None:
    results = run_at_once([lambda: verifications.start(PHONE)] * 20)
    assert (
        sorted(type(result).__name__ for result in results)
        == ["RateLimited"] * 17 + ["Verification"] * 3
    )
    assert len(outbox) == CallRequest.objects.count() == 3, connection.vendor


def after(seconds: float) -> Any:
    """Freeze the time so many seconds after noon."""
    return freeze_time(NOON + timedelta(seconds=seconds))


@pytest.fixture
def received_signals() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The signals that the host project receives: (name, arguments)."""
    received: list[tuple[str, dict[str, Any]]] = []

    def receiver_of(name: str) -> Callable[..., None]:
        return lambda signal, sender, **arguments: received.append((name, arguments))

    receivers = {name: receiver_of(name) for name in ("phone_verified", "verification_failed")}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver, sender=Verification)
    yield received
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver, sender=Verification)


#: The arguments of each call of ``before_send``.
before_send_calls: list[tuple[Any, ...]] = []


def before_send(*arguments: Any) -> None:
    before_send_calls.append(arguments)
    if arguments[0].purpose == "refused":
        raise Refused("not now")


@pytest.mark.django_db
def test_start_stores_the_verification_and_its_call(outbox: list[Sent]) -> None:
    user = get_user_model().objects.create(username="someone")
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    with after(0):
        verification = verifications.start(PHONE, "order", "voice", request, user)
    for row in (verification, Verification.objects.get()):
        assert (row.phone, row.purpose, row.status, row.sends, row.attempts) == (
            "79990000001",
            "order",
            "pending",
            1,
            0,
        )
        assert (row.created_at, row.last_sent_at, row.expires_at) == (
            NOON,
            NOON,
            NOON + timedelta(seconds=300),
        )
        assert (row.user, row.ip, row.approved_at) == (user, "192.0.2.1", None)
    call = CallRequest.objects.get()
    assert (call.phone, call.channel, call.created_at, call.lane, call.is_open) == (
        "79990000001",
        "voice",
        NOON,
        "unproven",
        True,
    )
    assert call.reserved_price is None
    plain = verifications.start(PHONE, channel="", user=AnonymousUser())
    assert (plain.purpose, plain.user, plain.ip, outbox[-1].channel) == (
        "login",
        None,
        None,
        "flashcall",
    )


@pytest.mark.django_db
def test_the_reserved_price_is_stored(outbox: list[Sent], configure: Callable[..., None]) -> None:
    configure(DAILY_BUDGET=Decimal(10), RESEND_AFTER=0)
    verification = verifications.start(PHONE)
    verifications.resend(verification.id, channel="sms")
    assert list(verification.calls.values_list("reserved_price", flat=True).order_by("id")) == [
        Decimal("0.35"),
        Decimal("3.30"),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("channel", [None, "flashcall", "voice"])
def test_a_test_number_makes_no_call_and_spends_nothing(
    outbox: list[Sent], configure: Callable[..., None], channel: str | None
) -> None:
    configure(
        TEST_NUMBERS={"12025550123": "0042"},
        DAILY_BUDGET=Decimal(0),
        LIMITS={"phone": ["0/d"]},
        BEFORE_SEND="nowhere.at_all",
    )
    with after(0):
        verification = verifications.start("+1 202 555 0123", channel=channel)
    call = verification.calls.get()
    assert (call.phone, call.channel, call.state, call.provider_id) == (
        "12025550123",
        channel or "flashcall",
        "answered",
        "test",
    )
    assert (call.service, call.created_at, call.claimed_at) == (
        CallRequest.TEST_SERVICE,
        NOON,
        NOON,
    )
    assert (call.placed_at, call.finished_at) == (NOON, NOON)
    status = call.statuses.get()
    assert (status.state, status.raw_state, status.source) == ("answered", "test", "send")
    with after(60):
        again = verifications.resend(verification.id, channel="sms")
    assert (again.sends, again.last_sent_at) == (2, NOON + timedelta(seconds=60))
    assert list(verification.calls.order_by("id").values_list("channel", "state")) == [
        (channel or "flashcall", "answered"),
        ("sms", "delivered"),
    ]
    with after(61):
        with pytest.raises(RateLimited):
            verifications.resend(verification.id)
        with pytest.raises(WrongCode):
            verifications.check(verification.id, "0043")
        assert verifications.check(verification.id, "0042").status == "approved"
    assert (outbox, verification.calls.count()) == ([], 2)
    assert [counter.key for counter in LimitCounter.objects.all()] == ["phone_guesses:12025550123:"]


@pytest.mark.django_db
def test_before_send_is_called_before_each_send_and_may_refuse_it(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(BEFORE_SEND="tests.test_verifications.before_send", RESEND_AFTER=0)
    before_send_calls.clear()
    request = RequestFactory().get("/")
    verification = verifications.start(PHONE, request=request)
    verifications.resend(verification.id, request=request)
    assert [arguments[1:] for arguments in before_send_calls] == [
        ("flashcall", request),
        ("voice", request),
    ]
    assert {arguments[0].id for arguments in before_send_calls} == {verification.id}
    with pytest.raises(Refused):
        verifications.start(PHONE, purpose="refused")
    assert (len(outbox), Verification.objects.count()) == (2, 1)
    configure(BEFORE_SEND="nowhere.at_all")
    with pytest.raises(ImproperlyConfigured, match=r"BEFORE_SEND.*cannot be imported"):
        verifications.start(PHONE)


@pytest.mark.django_db
def test_a_resend_uses_the_next_channel_after_the_wait(outbox: list[Sent]) -> None:
    with after(0):
        verification = verifications.start(PHONE)
    with after(59.5), pytest.raises(RateLimited) as caught:
        verifications.resend(verification.id)
    assert (caught.value.limit, caught.value.retry_after) == ("resend_after", 1)
    with after(30), pytest.raises(RateLimited) as caught:
        verifications.resend(str(verification.id))
    assert (caught.value.limit, caught.value.retry_after) == ("resend_after", 30)
    with after(60):
        again = verifications.resend(str(verification.id))
    assert (again.id, again.sends, again.last_sent_at) == (
        verification.id,
        2,
        NOON + timedelta(seconds=60),
    )
    with after(120):
        verifications.resend(verification.id)
    assert [sent.channel for sent in outbox] == ["flashcall", "voice", "sms"]
    for seconds in (121, 200):
        with after(seconds), pytest.raises(RateLimited) as caught:
            verifications.resend(verification.id)
        assert (caught.value.limit, caught.value.retry_after) == ("sends", 300 - seconds)
    assert verification.calls.count() == 3


@pytest.mark.django_db
def test_a_resend_refused_by_a_limit_is_not_counted(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": ["1/d"]}, RESEND_AFTER=0)
    verification = verifications.start(PHONE)
    with pytest.raises(RateLimited, match="phone"):
        verifications.resend(verification.id)
    verification.refresh_from_db()
    assert (verification.sends, len(outbox), verification.calls.count()) == (1, 1, 1)


def close(verification: Verification, status: str) -> None:
    approved_at = NOON if status == "approved" else None
    Verification.objects.filter(id=verification.id).update(status=status, approved_at=approved_at)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "seconds", "error"),
    [
        ("approved", 10, VerificationClosed),
        ("approved", 400, VerificationClosed),
        ("canceled", 10, VerificationClosed),
        ("max_attempts", 299, TooManyAttempts),
        ("max_attempts", 300, VerificationExpired),
        ("expired", 300, VerificationExpired),
        ("pending", 300, VerificationExpired),
        ("pending", 301, VerificationExpired),
    ],
)
def test_a_closed_verification_raises_the_reason(
    outbox: list[Sent], status: str, seconds: float, error: type[VerificationError]
) -> None:
    with after(0):
        verification = verifications.start(PHONE)
    close(verification, status)
    code = outbox[0].code
    actions: list[Callable[[], object]] = [
        lambda: verifications.check(verification.id, code),
        lambda: verifications.check(verification.id, ""),
        lambda: verifications.resend(verification.id),
    ]
    for action in actions:
        with after(seconds), pytest.raises(error) as caught:
            action()
        if isinstance(caught.value, TooManyAttempts):
            assert caught.value.retry_after == 1
    verification.refresh_from_db()
    assert (verification.status, verification.attempts, len(outbox)) == (status, 0, 1)


@pytest.mark.django_db
def test_a_code_is_valid_until_its_verification_expires(outbox: list[Sent]) -> None:
    with after(0):
        verification = verifications.start(PHONE)
    with after(299.999):
        approved = verifications.check(str(verification.id), f" {outbox[0].code} ")
    assert (approved.status, approved.approved_at) == (
        "approved",
        NOON + timedelta(seconds=299.999),
    )


@pytest.mark.django_db
def test_an_empty_guess_is_not_counted(outbox: list[Sent], received_signals: list[Any]) -> None:
    verification = verifications.start(PHONE)
    for typed in ("", " - ", None):
        with pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, typed)  # type: ignore[arg-type]
        assert caught.value.attempts_left == 5
    verification.refresh_from_db()
    assert (verification.attempts, received_signals) == (0, [])


@pytest.mark.django_db
def test_the_last_wrong_guess_closes_the_verification(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(MAX_ATTEMPTS=2)
    with after(0):
        verification = verifications.start(PHONE)
    for left, status in ((1, "pending"), (0, "max_attempts")):
        with after(10), pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, wrong_code(outbox[0].code))
        verification.refresh_from_db()
        assert (caught.value.attempts_left, verification.status) == (left, status)
    with after(10), pytest.raises(TooManyAttempts) as late:
        verifications.check(verification.id, outbox[0].code)
    assert late.value.retry_after == 290
    # MAX_ATTEMPTS was lowered below the number of guesses made.
    configure(MAX_ATTEMPTS=1)
    assert verification.attempts_left == 0
    # No guess is left, but the row was not closed.
    close(verification, "pending")
    with after(20), pytest.raises(TooManyAttempts) as late:
        verifications.check(verification.id, outbox[0].code)
    assert late.value.retry_after == 280


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "counts"),
    [("queued", False), ("refused", False), ("unknown", True), ("placing", True)],
)
def test_only_the_code_of_a_call_that_may_have_rung_is_accepted(
    outbox: list[Sent], state: str, counts: bool
) -> None:
    verification = verifications.start(PHONE)
    verification.calls.update(state=state)
    if counts:
        assert verifications.check(verification.id, outbox[0].code).status == "approved"
    else:
        with pytest.raises(WrongCode):
            verifications.check(verification.id, outbox[0].code)


@pytest.mark.django_db
def test_a_code_for_another_purpose_is_refused_and_costs_no_attempt(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE, purpose="order")
    for _ in range(6):
        with pytest.raises(Refused):
            verifications.check(verification.id, outbox[0].code, purpose="login")
    verification.refresh_from_db()
    assert (verification.status, verification.attempts) == ("pending", 0)
    assert (
        verifications.check(verification.id, outbox[0].code, purpose="order").status == "approved"
    )


@pytest.mark.django_db(transaction=True)
def test_guesses_that_a_limit_refuses_cost_no_attempt(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone_guesses": ["2/d"]})
    verification = verifications.start(PHONE)
    code = outbox[0].code
    results = run_at_once([lambda: verifications.check(verification.id, wrong_code(code))] * 10)
    limits_reached = [result.limit for result in results if isinstance(result, RateLimited)]
    assert limits_reached == ["phone_guesses"] * 8
    verification.refresh_from_db()
    assert (verification.status, verification.attempts) == ("pending", 2)


@pytest.mark.django_db
def test_a_guess_that_a_clock_set_back_refuses_costs_no_attempt(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(LIMITS={"phone": [], "phone_guesses": ["1/h"]})
    with after(0):
        verification = verifications.start(PHONE)
    with after(3600), pytest.raises(WrongCode):
        verifications.check(verifications.start(PHONE).id, wrong_code(outbox[1].code))
    with after(0), pytest.raises(RateLimited):
        verifications.check(verification.id, outbox[0].code)
    verification.refresh_from_db()
    assert verification.attempts == 0
    # The event in the future counts from now on, not from an hour later.
    with after(3601):
        verification = verifications.start(PHONE)
        verifications.check(verification.id, outbox[2].code)


@pytest.mark.django_db
@pytest.mark.parametrize("guess", ["123", "12345", "12a4", "\u0661\u0662\u0663\u0664", "4" * 40])
def test_a_guess_that_cannot_be_right_costs_nothing(
    outbox: list[Sent], received_signals: list[Any], guess: str
) -> None:
    verification = verifications.start(PHONE)
    for _ in range(6):
        with pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, guess)
        assert caught.value.attempts_left == 5
    verification.refresh_from_db()
    assert (verification.status, verification.attempts) == ("pending", 0)
    assert received_signals == []
    assert not LimitCounter.objects.filter(key__startswith="phone_guesses").exists()
    close(verification, "max_attempts")
    with pytest.raises(TooManyAttempts):
        verifications.check(verification.id, guess)


def provider_makes_codes(monkeypatch: pytest.MonkeyPatch, *made: int) -> None:
    left = iter(made)
    monkeypatch.setattr(secrets, "randbelow", lambda bound: next(left))


def used_guesses(phone: str = "79990000001") -> int:
    return sum(used for name, used, _ in limits.usage(phone) if name.startswith("phone_guesses"))


@pytest.mark.django_db
def test_of_the_codes_of_the_provider_the_two_newest_are_accepted(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"RESEND_AFTER": 0, "MAX_SENDS": 5, "MAX_ATTEMPTS": 6}
    configure(CODE_SOURCE="service", LIMITS={"phone": []}, **keys)
    provider_makes_codes(monkeypatch, 1111, 2222, 3333)
    verification = verifications.start(PHONE)
    counted = []
    for channel in ("voice", "sms", "voice", None):
        with pytest.raises(WrongCode):
            verifications.check(verification.id, "9999")
        counted.append(used_guesses())
        if channel:
            verifications.resend(verification.id, channel=channel)
    assert [sent.code for sent in outbox] == ["1111", "2222", "2222", "3333"]
    # An SMS repeats the code of a call, so that it adds no code.
    assert counted == [1, 3, 5, 7]
    with pytest.raises(WrongCode):
        verifications.check(verification.id, "1111")
    assert verifications.check(verification.id, "2222").status == "approved"


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["placing", "unknown"])
def test_a_guess_before_the_provider_has_told_its_code_costs_nothing(
    configure: Callable[..., None], state: str
) -> None:
    configure(CODE_SOURCE="service", DISPATCH="celery")
    verification = verifications.start(PHONE)
    calls = CallRequest.objects.filter(verification=verification)
    calls.update(state=state, claimed_at=datetime.now(timezone.utc))
    for _ in range(6):
        with pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, "1111")
        assert caught.value.attempts_left == 5
    assert used_guesses() == 0
    digest = codes.digest(verification.id, verification.phone, "1111")
    calls.update(state="placed", code_digest=digest)
    assert verifications.check(verification.id, "1111").status == "approved"


@pytest.mark.django_db
def test_a_call_that_did_not_ring_takes_no_place_among_the_accepted_codes(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(CODE_SOURCE="service", RESEND_AFTER=0)
    provider_makes_codes(monkeypatch, 1111, 2222, 3333)
    verification = verifications.start(PHONE)
    verifications.resend(verification.id, channel="voice")
    verifications.resend(verification.id, channel="voice")
    newest = verification.calls.latest("id")
    CallRequest.objects.filter(pk=newest.pk).update(state="refused")
    with pytest.raises(WrongCode):
        verifications.check(verification.id, "3333")
    assert verifications.check(verification.id, "1111").status == "approved"


@pytest.mark.django_db
def test_a_guess_that_counts_twice_needs_room_for_two(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits_of_guesses = {"phone": [], "phone_guesses": ["5/d"]}
    configure(CODE_SOURCE="service", RESEND_AFTER=0, LIMITS=limits_of_guesses)
    provider_makes_codes(monkeypatch, 1111, 2222, 3333)
    verification = verifications.start(PHONE)
    verifications.resend(verification.id, channel="voice")
    for _ in range(2):
        with pytest.raises(WrongCode):
            verifications.check(verification.id, "9999")
    with pytest.raises(RateLimited):
        verifications.check(verification.id, "2222")
    one_code = verifications.start(PHONE)
    with pytest.raises(WrongCode):
        verifications.check(one_code.id, "9999")
    assert used_guesses() == 5


@pytest.mark.django_db
def test_a_rate_of_one_guess_allows_one_also_where_two_codes_count(
    outbox: list[Sent], configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(CODE_SOURCE="service", RESEND_AFTER=0, LIMITS={"phone_guesses": ["1/d"]})
    provider_makes_codes(monkeypatch, 1111, 2222)
    verification = verifications.start(PHONE)
    verifications.resend(verification.id, channel="voice")
    with pytest.raises(WrongCode):
        verifications.check(verification.id, "9999")
    with pytest.raises(RateLimited):
        verifications.check(verification.id, "2222")


@pytest.mark.django_db
@pytest.mark.parametrize("test_numbers", [{}, {"79990000001": "4821"}])
def test_a_new_secret_key_changes_no_code_of_an_open_verification(
    outbox: list[Sent],
    configure: Callable[..., None],
    settings: Any,
    test_numbers: dict[str, str],
) -> None:
    configure(RESEND_AFTER=0, TEST_NUMBERS=test_numbers)
    verification = verifications.start(PHONE)
    for key in ("the second key", "the third key"):
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        settings.SECRET_KEY = key
        verifications.resend(verification.id, channel="voice")
    sent = {sent.code for sent in outbox} or {"4821"}
    assert (len(sent), len(outbox)) == (1, 0 if test_numbers else 3)
    (code,) = sent
    # They are one code, so that a wrong guess counts once.
    assert len(set(verification.calls.values_list("code_digest", flat=True))) == 1
    with pytest.raises(WrongCode):
        verifications.check(verification.id, wrong_code(code))
    assert verifications.check(verification.id, code).status == "approved"


@pytest.mark.django_db
def test_without_the_old_secret_key_a_resend_has_a_new_code(
    outbox: list[Sent], configure: Callable[..., None], settings: Any
) -> None:
    configure(RESEND_AFTER=0)
    verification = verifications.start(PHONE)
    settings.SECRET_KEY = "a key that replaced one which leaked"
    verifications.resend(verification.id, channel="voice")
    assert verifications.check(verification.id, outbox[1].code).status == "approved"


@pytest.mark.django_db
def test_a_lowered_number_of_guesses_ends_open_verifications(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    configure(RESEND_AFTER=0)
    verification = verifications.start(PHONE)
    with pytest.raises(WrongCode):
        verifications.check(verification.id, wrong_code(outbox[0].code))
    configure(RESEND_AFTER=0, MAX_ATTEMPTS=1)
    verification = verifications.get(verification.id)
    assert (verification.current_status, verification.is_open) == ("max_attempts", False)
    assert describe(verification).hint.startswith("No attempts are left")
    with pytest.raises(TooManyAttempts):
        verifications.resend(verification.id)
    # The same rule is in the UPDATE that counts a send.
    assert not Verification.count_send(verification.id, verification.created_at)
    assert len(outbox) == CallRequest.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("approved", VerificationClosed),
        ("canceled", VerificationClosed),
        ("expired", VerificationExpired),
    ],
)
def test_a_right_guess_that_loses_a_race_is_refused(
    outbox: list[Sent],
    received_signals: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    error: type[VerificationError],
) -> None:
    """Another request commits between the check of the code and the approval."""
    with after(0):
        verification = verifications.start(PHONE)

    def lose_race(self: Verification, now: datetime) -> bool:
        close(self, status)
        if status == "expired":
            ended = now - timedelta(seconds=1)
            Verification.objects.filter(id=self.id).update(expires_at=ended)
        return False

    monkeypatch.setattr(Verification, "approve", lose_race)
    with after(10), pytest.raises(error):
        verifications.check(verification.id, outbox[0].code)
    assert received_signals == []


@pytest.mark.django_db
def test_guesses_send_signals(
    outbox: list[Sent],
    received_signals: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    user = get_user_model().objects.create(username="someone")
    request = RequestFactory().get("/")
    verification = verifications.start(PHONE)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(WrongCode):
        verifications.check(verification.id, wrong_code(outbox[0].code), request)
    with django_capture_on_commit_callbacks(execute=True):
        approved = verifications.check(
            verification.id, outbox[0].code, request, find_user=lambda verification: user
        )
    assert received_signals == [
        ("verification_failed", {"verification": verification, "user": None, "request": request}),
        ("phone_verified", {"verification": verification, "user": user, "request": request}),
    ]
    assert (approved.user, Verification.objects.get().user) == (user, user)


@pytest.mark.django_db
def test_a_refused_user_has_still_proved_the_number(
    outbox: list[Sent],
    received_signals: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    def refuse(verification: Verification) -> None:
        assert verification.status == "approved"
        raise Refused("nobody")

    verification = verifications.start(PHONE)
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(Refused):
        verifications.check(verification.id, outbox[0].code, find_user=refuse)
    verification.refresh_from_db()
    assert (verification.status, verification.user) == ("approved", None)
    assert [name for name, _ in received_signals] == ["phone_verified"]


@pytest.mark.django_db
def test_the_owner_of_the_number_replaces_the_user_who_started(outbox: list[Sent]) -> None:
    starter, owner = (
        get_user_model().objects.create(username=name) for name in ("starter", "owner")
    )
    for owner_found, expected in ((None, starter), (starter, starter), (owner, owner)):

        def find_user(verification: Verification, user: Any = owner_found) -> Any:
            return user

        verification = verifications.start(PHONE, user=starter)
        approved = verifications.check(verification.id, outbox[-1].code, find_user=find_user)
        assert approved.user == Verification.objects.get(id=verification.id).user == expected


@pytest.mark.django_db
def test_a_canceled_verification_accepts_no_code(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    assert verifications.cancel(str(verification.id)).status == "canceled"
    assert Verification.objects.get().status == "canceled"
    with pytest.raises(VerificationClosed):
        verifications.check(verification.id, outbox[0].code)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "id", [UUID(int=0), "6f1c2a9e-3b57-4d80-9e42-c7a5d0b81f36", "no id", "", None, 5, "\ud800"]
)
def test_an_unknown_id_raises_does_not_exist(id: Any) -> None:
    actions: list[Callable[[], object]] = [
        lambda: verifications.get(id),
        lambda: verifications.resend(id),
        lambda: verifications.cancel(id),
        lambda: verifications.check(id, "1234"),
        lambda: verifications.check(id, ""),
    ]
    for action in actions:
        with pytest.raises(Verification.DoesNotExist):
            action()


@pytest.mark.django_db
def test_a_proof_needs_an_approved_verification_that_still_exists(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    with pytest.raises(InvalidProof, match="only an approved"):
        verifications.make_proof(verification)
    with after(0):
        verification = verifications.start(PHONE)
        proof = verifications.make_proof(verifications.check(verification.id, outbox[-1].code))
    with after(59):
        read = verifications.read_proof(proof, max_age=60)
    assert repr(read) == "<Proof login>"
    with pytest.raises(AttributeError):
        read.phone = "79990000002"  # type: ignore[misc]
    with after(62), pytest.raises(VerificationExpired):
        verifications.read_proof(proof, max_age=60)
    with after(62):
        assert verifications.read_proof(proof) == read
    close(verification, "canceled")
    with pytest.raises(InvalidProof, match="gone"):
        verifications.read_proof(proof)
    verification.delete()
    with pytest.raises(InvalidProof, match="gone"):
        verifications.read_proof(proof)


@pytest.mark.django_db
def test_a_new_proof_of_an_old_verification_is_as_old_as_its_approval(outbox: list[Sent]) -> None:
    with after(0):
        verification = verifications.start(PHONE)
        verifications.check(verification.id, outbox[-1].code)
    with after(61):
        proof = verifications.make_proof(verifications.get(verification.id))
        with pytest.raises(VerificationExpired):
            verifications.read_proof(proof, max_age=60)
        assert verifications.read_proof(proof, max_age=62).verification == verification.id


def proof_of(code: str, verification: Verification) -> str:
    return verifications.make_proof(verifications.check(verification.id, code))


@pytest.mark.django_db(transaction=True)
def test_a_proof_that_is_valid_once_is_redeemed_by_the_first(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE, purpose="order")
    proof = proof_of(outbox[0].code, verification)
    with pytest.raises(InvalidProof, match="another purpose"):
        verifications.read_proof(proof, purpose="newsletter", once=True)
    with pytest.raises(VerificationExpired):
        verifications.read_proof(proof, max_age=-1, purpose="order", once=True)
    assert Verification.objects.get().redeemed_at is None
    reading = [lambda: verifications.read_proof(proof, None, "order", once=True)] * 50
    results = run_at_once(reading)
    assert sum(isinstance(result, Proof) for result in results) == 1
    refused = [str(result) for result in results if isinstance(result, InvalidProof)]
    assert refused == ["the proof was used before"] * 49
    assert verifications.read_proof(proof, purpose="order").verification == verification.id


@pytest.mark.django_db
def test_a_masked_number_is_not_proved(outbox: list[Sent], configure: Callable[..., None]) -> None:
    configure(RETENTION="mask", RETENTION_DAYS=1)
    verification = verifications.start(PHONE)
    proof = proof_of(outbox[0].code, verification)
    retention.purge(datetime.now(timezone.utc) + timedelta(days=2))
    verification = verifications.get(verification.id)
    assert verification.phone == "7999000****"
    for once in (False, True):
        with pytest.raises(InvalidProof, match="gone"):
            verifications.read_proof(proof, once=once)
    with pytest.raises(InvalidProof):
        verifications.make_proof(verification)


def call(channel: str, provider_id: str = "") -> CallRequest:
    return CallRequest(channel=channel, provider_id=provider_id)


@pytest.mark.parametrize(
    ("allowed", "calls", "following", "possible"),
    [
        (["flashcall", "voice", "sms"], [], ["flashcall", "voice"], ["flashcall", "voice"]),
        (["flashcall", "voice", "sms"], [call("flashcall")], ["voice"], ["flashcall", "voice"]),
        (
            ["flashcall", "voice", "sms"],
            [call("flashcall", "1")],
            ["voice", "sms"],
            ["flashcall", "voice", "sms"],
        ),
        (
            ["flashcall", "voice", "sms"],
            [call("flashcall", "1"), call("voice")],
            ["sms"],
            ["flashcall", "voice", "sms"],
        ),
        (
            ["flashcall", "voice", "sms"],
            [call("voice")],
            ["voice", "flashcall"],
            ["flashcall", "voice"],
        ),
        # After the last one all are offered again.
        (
            ["flashcall", "voice", "sms"],
            [call("voice", "1"), call("sms", "2")],
            ["sms", "flashcall", "voice"],
            ["flashcall", "voice", "sms"],
        ),
        # An SMS repeats the code of a call, not of another SMS.
        (["flashcall", "sms"], [call("sms", "2")], ["flashcall"], ["flashcall"]),
        (
            ["flashcall", "voice"],
            [call("sms", "2")],
            ["flashcall", "voice"],
            ["flashcall", "voice"],
        ),
        (["voice"], [call("voice", "1")], ["voice"], ["voice"]),
        (["sms"], [], [], []),
    ],
)
def test_the_next_and_the_possible_channels(
    configure: Callable[..., None],
    allowed: list[str],
    calls: list[CallRequest],
    following: list[str],
    possible: list[str],
) -> None:
    configure(CHANNELS=allowed)
    assert (channels.following(calls), channels.possible(calls)) == (following, possible)
    if following:
        assert channels.choose(None, calls) == following[0]
    else:
        with pytest.raises(ChannelUnavailable, match="no channel is left"):
            channels.choose(None, calls)
    for channel in ("flashcall", "voice", "sms"):
        if channel in possible:
            assert channels.choose(channel, calls) == channel
        else:
            message = (
                "repeats the code of a call"
                if channel in allowed
                else f"must be one of {', '.join(allowed)}$"
            )
            with pytest.raises(ChannelUnavailable, match=message):
                channels.choose(channel, calls)


def first_in_transaction(action: Callable[[], object]) -> str:
    """Return the SQL verb of the first statement in the transaction that ``action`` opens."""
    with CaptureQueriesContext(connection) as captured:
        action()
    statements = [query["sql"] for query in captured.captured_queries]
    begin = next(index for index, sql in enumerate(statements) if sql.startswith("SAVEPOINT"))
    return statements[begin + 1].split()[0]


@pytest.mark.django_db
def test_every_transaction_begins_with_a_write(
    outbox: list[Sent], configure: Callable[..., None]
) -> None:
    """On SQLite a transaction that begins with a read cannot wait for another writer.

    It fails with "database is locked".
    """
    configure(DAILY_BUDGET=Decimal(10), RESEND_AFTER=0)
    # Else the start runs it, in transactions of its own.
    guard.watch(datetime.now(timezone.utc))
    assert first_in_transaction(lambda: verifications.start(PHONE)) == "INSERT"
    verification = Verification.objects.get()
    assert first_in_transaction(lambda: verifications.resend(verification.id)) == "UPDATE"
    assert (
        first_in_transaction(lambda: verifications.check(verification.id, outbox[0].code))
        == "UPDATE"
    )


@pytest.mark.django_db
def test_a_proof_names_its_own_verification(outbox: list[Sent]) -> None:
    started = [verifications.start(number) for number in ("79990000001", "79990000002")]
    proofs = [
        verifications.make_proof(verifications.check(verification.id, sent.code))
        for verification, sent in zip(started, outbox, strict=True)
    ]
    assert [verifications.read_proof(proof).phone for proof in proofs] == [
        "79990000001",
        "79990000002",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_commit_whose_answer_is_lost_starts_one_verification(
    monkeypatch: pytest.MonkeyPatch, configure: Callable[..., None], outbox: list[Sent]
) -> None:
    """As if the database was killed after it had committed, before it could say so."""
    # Its watch commits before the start does.
    configure(FRAUD_GUARD="off")
    lost: list[bool] = []

    def commit() -> None:
        original()
        if not lost and CallRequest.objects.exists():
            lost.append(True)
            raise OperationalError("the server closed the connection")

    original = connection.commit
    monkeypatch.setattr(connection, "commit", commit)
    verification = verifications.start("+79990000001")
    assert lost
    assert [call.verification_id for call in CallRequest.objects.all()] == [verification.id]
    assert len(outbox) == 1
