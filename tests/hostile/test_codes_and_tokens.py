"""Codes, callback tokens, proofs and device cookies from strangers: ours, or refused."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from django.core import signing
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from django_voicepassword.exceptions import InvalidProof
from django_voicepassword.limits.devices import is_trusted
from django_voicepassword.security import callback_tokens, codes, trusted_devices
from django_voicepassword.verifications import proofs
from tests.hostile import strategies as hostile


@hostile.thorough
@given(st.uuids(), hostile.phones, st.one_of(hostile.scalars, hostile.codes))
@example(uuid.UUID(int=0), "79990000001", "\ud800")
def test_a_guess_is_right_or_wrong(id: uuid.UUID, phone: str, typed: Any) -> None:
    guess = codes.clean_guess(typed)
    assert (len(guess) <= 32, guess.split()) == (True, [guess] if guess else [])
    code = codes.make(id)
    assert codes.matches(id, phone, guess, [codes.digest(id, phone, code)]) == (guess == code)
    assert codes.matches(id, phone, guess, [codes.digest(id, phone, guess)])


@hostile.thorough
@given(st.integers(0, 2**63 - 1), hostile.texts)
@example(1, "\ud800")
def test_a_forged_callback_token_is_refused(pk: int, other: str) -> None:
    token = callback_tokens.make_callback_token(pk)
    assert callback_tokens.parse_callback_token(token) == pk
    for forged in (
        other,
        f"{pk}.{other}",
        f"{other}.{token.partition('.')[2]}",
        token + other[:1],
        token[: len(other)],
    ):
        assert forged == token or callback_tokens.parse_callback_token(forged) is None


@hostile.thorough
@given(st.uuids(), hostile.values)
def test_a_forged_proof_is_refused(id: uuid.UUID, other: Any) -> None:
    proof = proofs.sign(id)
    assert proofs.parse(proof) == id
    signed = signing.dumps(str(other), salt="django_voicepassword.proof")
    for forged in (
        other,
        f"{proof}{other}x",
        signed,
        signing.dumps(str(id), salt="another"),
        proof[: len(str(other))],
    ):
        if forged != proof:
            with pytest.raises(InvalidProof):
                proofs.parse(forged)


@pytest.mark.django_db
@hostile.thorough
@given(hostile.texts)
def test_a_forged_device_cookie_proves_nothing(cookie: str) -> None:
    request = RequestFactory().get("/")
    for forged in (cookie, signing.dumps(cookie, salt="another"), f"x:y:{cookie}"):
        request.COOKIES[trusted_devices.COOKIE] = forged
        assert not is_trusted(request, "79990000001")


@pytest.mark.parametrize("piece", ["7", "+", " ", "1 ", "\ud800", "é", ".", ":", "-"])
def test_a_megabyte_is_refused_in_a_moment(piece: str) -> None:
    long = piece * (10**6 // len(piece))
    id = uuid.uuid4()
    began = time.process_time()
    digest = codes.digest(id, "79990000001", "0042")
    assert not codes.matches(id, "79990000001", codes.clean_guess(long), [digest])
    assert callback_tokens.parse_callback_token(long) is None
    with pytest.raises(InvalidProof):
        proofs.parse(long)
    # Quadratic work would take hours.
    assert time.process_time() - began < 10
