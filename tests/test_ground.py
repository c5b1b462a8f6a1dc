"""The ground floor: one spelling of a number, codes, tokens, addresses."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone, InvalidProof, VerificationExpired
from django_voicepassword.limits import client_ip
from django_voicepassword.security import callback_tokens, codes, masking
from django_voicepassword.verifications import proofs


@pytest.mark.parametrize(
    "written",
    [
        "79991234567",
        "+79991234567",
        "8 (999) 123-45-67",
        "8-999-123-45-67",
        "+7 999 123 45 67",
        " 9991234567 ",
        "+7\u00a0999\u00a0123‑45‑67",
        "tel:+7-999-123-45-67".removeprefix("tel:"),
    ],
)
def test_every_spelling_is_one_number(written: str) -> None:
    assert phones.normalize(written) == "79991234567"


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        None,
        "12",
        "7999123456",
        "799912345678",
        "+7 999 123-45-67 ext. 5",
        "8-800-FLOWERS",
        "+0 999 123-45-67",
        "79991234567; DROP",
        "7" * 41,
        "+7999123456\n7\x00",
        True,
        b"79991234567",
        "７９９９１２３４５６７８９",
    ],
)
def test_what_is_no_number_is_told_without_repeating_it(written: Any) -> None:
    with pytest.raises(InvalidPhone) as caught:
        phones.normalize(written)
    assert "999" not in str(caught.value)


def test_numbers_of_other_countries(configure: Callable[..., None]) -> None:
    assert phones.normalize("+1 202-555-0123") == "12025550123"
    assert phones.normalize("12025550123") == "12025550123"
    configure(DEFAULT_REGION="KZ")
    assert phones.normalize("8 701 123 4567") == "77011234567"
    configure(DEFAULT_REGION=None)
    assert phones.normalize("79991234567") == "79991234567"
    with pytest.raises(InvalidPhone):
        phones.normalize("9991234567")


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("79991234567", "+7 *** ***-**-67"),
        ("12025550123", "+1 ********23"),
        ("", ""),
        ("77011234567", "+7 *** ***-**-67"),
    ],
)
def test_a_masked_number_keeps_two_digits(phone: str, masked: str) -> None:
    assert masking.mask(phone) == masked


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_and_a_number_read_is_read_again(written: str) -> None:
    try:
        phone = phones.normalize(written)
    except InvalidPhone:
        return
    assert phone.isascii()
    assert phone.isdigit()
    assert phones.normalize(phone) == phones.normalize(f"+{phone}") == phone
    assert phone[-5:-2] not in masking.mask(phone)


def test_a_code_is_derived_from_the_verification_and_the_key(settings: Any) -> None:
    ids = [uuid.UUID(int=number, version=4) for number in range(300)]
    made = [codes.make(id) for id in ids]
    assert made == [codes.make(id) for id in ids]
    assert {len(code) for code in made} == {4}
    # As many different ones as chance gives.
    assert len(set(made)) > 270
    settings.SECRET_KEY = "another-key"
    assert sum(codes.make(id) == code for id, code in zip(ids, made, strict=True)) < 5


def test_a_digest_is_bound_to_verification_phone_code_and_key(settings: Any) -> None:
    id, phone = uuid.uuid4(), "79991234567"
    digest = codes.digest(id, phone, "0042")
    assert codes.matches(id, phone, "0042", ["", digest])
    assert not codes.matches(id, phone, "0043", [digest])
    assert not codes.matches(id, phone, "42", [digest])
    assert not codes.matches(uuid.uuid4(), phone, "0042", [digest])
    assert not codes.matches(id, "79991234568", "0042", [digest])
    assert not codes.matches(id, phone, "0042", [])
    assert not codes.matches(id, phone, "", [""])
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-key"
    assert not codes.matches(id, phone, "0042", [digest])
    settings.SECRET_KEY_FALLBACKS = [old]
    assert codes.matches(id, phone, "0042", [digest])


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        (" 12 34 ", "1234"),
        ("12-34", "1234"),
        (1234, "1234"),
        (None, ""),
        ("\u00a012\t34\n", "1234"),
    ],
)
def test_a_typed_code_is_cleaned_of_spaces_and_dashes(typed: Any, clean: str) -> None:
    assert codes.clean_guess(typed) == clean


def test_a_guess_is_bounded() -> None:
    assert len(codes.clean_guess("1" * 1_000_000)) == 32


@given(st.integers(min_value=0, max_value=2**63 - 1), st.text(max_size=80))
def test_a_callback_token_cannot_be_guessed(pk: int, other: str) -> None:
    token = callback_tokens.make_callback_token(pk)
    assert callback_tokens.parse_callback_token(token) == pk
    assert callback_tokens.parse_callback_token(other) is None
    assert callback_tokens.parse_callback_token(f"{pk + 1}.{token.partition('.')[2]}") is None


def test_a_proof_is_read_while_it_is_young() -> None:
    id = uuid.uuid4()
    proof = proofs.sign(id)
    assert proofs.parse(proof) == proofs.parse(proof, max_age=60) == id
    with pytest.raises(VerificationExpired):
        proofs.parse(proof, max_age=-1)
    for other in ("", "x", proof + "x", callback_tokens.make_callback_token(1)):
        with pytest.raises(InvalidProof):
            proofs.parse(other)


@pytest.mark.parametrize(
    ("proxies", "direct", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        # Anybody can send the header: without a trusted proxy it is not read.
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        (1, "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        (0, "2001:DB8:0:0::1", "", "2001:db8::1"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, "", "", None),
    ],
)
def test_the_address_of_the_client(
    configure: Callable[..., None], proxies: int, direct: str, forwarded: str, address: str | None
) -> None:
    configure(TRUSTED_PROXIES=proxies)
    request = RequestFactory().get("/", REMOTE_ADDR=direct, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_ip.client_address(request) == address


def test_ipv6_is_counted_by_its_64() -> None:
    assert (
        client_ip.subject("2001:db8:1:2:3:4:5:6")
        == client_ip.subject("2001:db8:1:2::1")
        == "2001:db8:1:2::/64"
    )
    assert client_ip.subject("2001:db8:1:3::1") != client_ip.subject("2001:db8:1:2::1")
    assert client_ip.subject("192.0.2.1") == "192.0.2.1"
    assert client_ip.client_address(None) is None
