"""Codes and their digests: how they are derived, and that an update does not change them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any
from uuid import UUID, uuid4

import pytest

from django_voicepassword.security import codes

ID = UUID("8d7dabcb-86ab-4c6e-9d5e-2f3b1a0c4d5e")


@pytest.mark.parametrize(("length", "code"), [(4, "4966"), (6, "384966"), (10, "1437384966")])
def test_the_code_of_a_verification_never_changes_with_an_update(
    settings: Any, length: int, code: str
) -> None:
    settings.SECRET_KEY = "the key of the project"
    assert codes.make(ID, length) == code
    assert codes.make(ID) == "4966"


def test_a_digest_stored_before_an_update_matches_after_it(settings: Any) -> None:
    """The digest, calculated by hand: HMAC-SHA256 with a key derived from SECRET_KEY."""
    settings.SECRET_KEY = "the key of the project"
    key = hashlib.sha256(b"django_voicepassword.codes.digestthe key of the project").digest()
    stored_digest = hmac.new(key, f"{ID}:79990000001:0042".encode(), "sha256").hexdigest()
    assert codes.digest(ID, "79990000001", "0042") == stored_digest
    assert codes.matches(ID, "79990000001", "0042", [stored_digest])


def test_a_guess_with_a_lone_surrogate_is_wrong_and_raises_nothing() -> None:
    assert not codes.matches(ID, "79990000001", "\ud800", [codes.digest(ID, "79990000001", "0042")])


@pytest.mark.parametrize("length", [4, 6])
def test_a_random_code_covers_its_whole_range(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    arguments = {"length": length} if length != 4 else {}
    monkeypatch.setattr(secrets, "randbelow", lambda bound: bound - 1)
    assert codes.make_random(**arguments) == "9" * length
    monkeypatch.setattr(secrets, "randbelow", lambda bound: 7)
    assert codes.make_random(**arguments) == "7".zfill(length)


def test_a_code_is_derived_from_the_verification_and_the_key(settings: Any) -> None:
    ids = [UUID(int=number, version=4) for number in range(300)]
    made = [codes.make(id) for id in ids]
    assert made == [codes.make(id) for id in ids]
    assert {len(code) for code in made} == {4}
    # Of 300 random codes of four digits some are equal.
    assert len(set(made)) > 270
    settings.SECRET_KEY = "another-key"
    assert sum(codes.make(id) == code for id, code in zip(ids, made, strict=True)) < 5


def test_a_digest_is_bound_to_verification_phone_code_and_key(settings: Any) -> None:
    id, phone = uuid4(), "79991234567"
    digest = codes.digest(id, phone, "0042")
    assert codes.matches(id, phone, "0042", ["", digest])
    assert not codes.matches(id, phone, "0043", [digest])
    assert not codes.matches(id, phone, "42", [digest])
    assert not codes.matches(uuid4(), phone, "0042", [digest])
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


def test_a_guess_is_cut_to_32_characters() -> None:
    assert len(codes.clean_guess("1" * 1_000_000)) == 32
