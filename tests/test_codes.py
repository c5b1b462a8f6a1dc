"""Codes have the requested length, and codes and digests of an earlier version stay valid."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any
from uuid import UUID

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
