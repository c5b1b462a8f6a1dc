"""Numbers, codes and tokens from strangers: read, or refused by the documented error."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import Any

import pytest
from django.core import signing
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone, InvalidProof, VerificationExpired
from django_voicepassword.limits import client_ip
from django_voicepassword.security import callback_tokens, codes, masking, trusted_devices
from django_voicepassword.verifications import proofs
from tests.hostile import strategies as hostile

#: Made of what the reader of numbers gives a meaning to.
almost = st.text("+＋0123456789٣９-‑()[]./~ \u00a0;,x#*", max_size=45)


@hostile.thorough
@given(
    st.one_of(hostile.values, almost),
    st.sampled_from([None, "RU", "KZ", "US", "001", "ZZ", "\ud800"]),
)
def test_a_number_is_read_and_read_again_or_refused(written: Any, region: str | None) -> None:
    try:
        phone = phones.normalize(written, region)
    except InvalidPhone:
        return
    assert (phone.isascii(), phone.isdigit(), 5 <= len(phone) <= 15) == (True, True, True)
    assert (
        phones.normalize(f"+{phone}", region) == phones.normalize(phones.national(phone)) == phone
    )


@hostile.thorough
@given(st.one_of(hostile.texts, hostile.phones, almost))
def test_a_masked_number_is_no_whole_number(phone: str) -> None:
    masked = masking.mask(phone)
    assert phones.national(phone) is not None
    if phone.isascii() and phone.isdigit() and len(phone) > 9:
        assert phone[-5:] not in masked.replace(" ", "")


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
def test_a_callback_token_is_ours_or_none(pk: int, other: str) -> None:
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
@given(st.uuids(), hostile.values, st.sampled_from([None, 60.0]))
def test_a_proof_is_ours_or_invalid(id: uuid.UUID, other: Any, max_age: float | None) -> None:
    proof = proofs.sign(id)
    assert proofs.parse(proof, max_age) == id
    signed = signing.dumps(str(other), salt="django_voicepassword.proof")
    for forged in (
        other,
        f"{proof}{other}x",
        signed,
        signing.dumps(str(id), salt="another"),
        proof[: len(str(other))],
    ):
        if forged != proof:
            with pytest.raises((InvalidProof, VerificationExpired)):
                proofs.parse(forged, max_age)


@hostile.thorough
@given(hostile.texts)
def test_a_device_is_known_by_our_cookie_alone(cookie: str) -> None:
    request = RequestFactory().get("/")
    for forged in (cookie, signing.dumps(cookie, salt="another"), f"x:y:{cookie}"):
        request.COOKIES[trusted_devices.COOKIE] = forged
        assert trusted_devices.proved(request, "79990000001") == ""


@hostile.thorough
@given(hostile.texts, hostile.texts, st.integers(0, 3))
def test_an_address_is_one_or_none(direct: str, forwarded: str, proxies: int) -> None:
    request = RequestFactory().get("/")
    request.META |= {"REMOTE_ADDR": direct, "HTTP_X_FORWARDED_FOR": f"{forwarded},{direct}"}
    address = client_ip.client_address(request)
    if address is not None:
        assert client_ip.subject(address)


@pytest.mark.parametrize("piece", ["7", "+", " ", "1 ", "\ud800", "é", ".", ":", "-"])
def test_a_megabyte_is_refused_in_a_moment(piece: str) -> None:
    long = piece * (10**6 // len(piece))
    id = uuid.uuid4()
    began = time.process_time()
    with suppress(InvalidPhone):
        phones.normalize(long)
    masking.mask(long)
    phones.national(long)
    assert not codes.matches(
        id, "79990000001", codes.clean_guess(long), [codes.digest(id, "79990000001", "0042")]
    )
    assert callback_tokens.parse_callback_token(long) is None
    with pytest.raises(InvalidProof):
        proofs.parse(long)
    # Quadratic work would take hours.
    assert time.process_time() - began < 10
