"""The front door: counted before it is tried, also in a burst, on every database."""

from __future__ import annotations

import pytest
from django.db import connection

from django_voicepassword import verifications
from django_voicepassword.exceptions import (
    ChannelUnavailable,
    InvalidPhone,
    PrefixNotAllowed,
    RateLimited,
    TooManyAttempts,
    VerificationClosed,
    VerificationError,
    WrongCode,
)
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import Sent
from tests.at_once import at_once

PHONE = "+7 999 000-00-01"


def _wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10000:04}"


@pytest.mark.django_db
def test_the_right_code_approves_once(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    assert (outbox[0].channel, outbox[0].number, outbox[0].verification) == ("flashcall", "79990000001", verification.id)
    approved = verifications.check(verification.id, outbox[0].code)
    assert approved.status == Verification.Status.APPROVED
    proof = verifications.read_proof(verifications.make_proof(approved))
    assert (proof.phone, proof.purpose, proof.verification) == ("79990000001", "login", verification.id)
    with pytest.raises(VerificationClosed):
        verifications.check(verification.id, outbox[0].code)


@pytest.mark.django_db
def test_guesses_run_out_and_the_right_code_comes_too_late(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    code = outbox[0].code
    for left in (4, 3, 2, 1, 0):
        with pytest.raises(WrongCode) as caught:
            verifications.check(verification.id, _wrong(code))
        assert caught.value.attempts_left == left
    with pytest.raises(TooManyAttempts):
        verifications.check(verification.id, code)


@pytest.mark.django_db
def test_spellings_of_a_number_share_one_budget(outbox: list[Sent]) -> None:
    for spelling in ("8 (999) 000-00-01", "+7 999 000 00 01", "79990000001"):
        verifications.start(spelling)
    with pytest.raises(RateLimited) as caught:
        verifications.start("89990000001")
    assert caught.value.limit == "phone"
    assert 0 < caught.value.retry_after <= 600
    assert len(outbox) == CallRequest.objects.count() == 3


@pytest.mark.django_db
@pytest.mark.parametrize(("phone", "error"), [("12", InvalidPhone), ("+1 202 555 0123", PrefixNotAllowed)])
def test_a_number_that_cannot_be_called_costs_nothing(outbox: list[Sent], phone: str, error: type[VerificationError]) -> None:
    with pytest.raises(error):
        verifications.start(phone)
    assert not outbox
    assert not Verification.objects.exists()


@pytest.mark.django_db
def test_an_sms_cannot_be_first_and_repeats_the_code_later(outbox: list[Sent], settings) -> None:
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
    kept = f"{verification.__dict__} {call.__dict__} {[status.__dict__ for status in call.statuses.all()]}"
    assert f"'{outbox[0].code}'" not in kept
    assert len(call.code_digest) == 64


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_guesses_gets_exactly_the_allowed_number(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    wrong = _wrong(outbox[0].code)
    results = at_once([lambda: verifications.check(verification.id, wrong)] * 20)
    assert sorted(type(one).__name__ for one in results) == ["TooManyAttempts"] * 15 + ["WrongCode"] * 5
    verification.refresh_from_db()
    assert verification.attempts == 5


@pytest.mark.django_db(transaction=True)
def test_two_right_guesses_at_once_approve_once(outbox: list[Sent]) -> None:
    verification = verifications.start(PHONE)
    code = outbox[0].code
    results = at_once([lambda: verifications.check(verification.id, code)] * 4)
    assert sum(isinstance(one, Verification) for one in results) == 1


@pytest.mark.django_db(transaction=True)
def test_a_burst_of_starts_rings_exactly_the_allowed_number(outbox: list[Sent]) -> None:
    results = at_once([lambda: verifications.start(PHONE)] * 20)
    assert sorted(type(one).__name__ for one in results) == ["RateLimited"] * 17 + ["Verification"] * 3
    assert len(outbox) == CallRequest.objects.count() == 3, connection.vendor
