"""Codes: what was kept by one version is read by the next, and the length that is asked for."""

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
def test_a_code_that_rang_before_an_update_is_made_after_it(
    settings: Any, length: int, code: str
) -> None:
    settings.SECRET_KEY = "the key of the project"
    assert codes.make(ID, length) == code
    assert codes.make(ID) == "4966"


def test_a_digest_that_was_kept_before_an_update_opens_after_it(settings: Any) -> None:
    """By hand, as the format says: HMAC-SHA256 with a key of SECRET_KEY and the purpose."""
    settings.SECRET_KEY = "the key of the project"
    key = hashlib.sha256(b"django_voicepassword.codes.digestthe key of the project").digest()
    kept = hmac.new(key, f"{ID}:79990000001:0042".encode(), "sha256").hexdigest()
    assert codes.digest(ID, "79990000001", "0042") == kept
    assert codes.matches(ID, "79990000001", "0042", [kept])


def test_a_guess_of_half_a_character_is_wrong_and_no_fault() -> None:
    assert not codes.matches(ID, "79990000001", "\ud800", [codes.digest(ID, "79990000001", "0042")])


@pytest.mark.parametrize("length", [4, 6])
def test_a_random_code_may_be_any_of_its_length(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    given = {"length": length} if length != 4 else {}
    monkeypatch.setattr(secrets, "randbelow", lambda bound: bound - 1)
    assert codes.make_random(**given) == "9" * length
    monkeypatch.setattr(secrets, "randbelow", lambda bound: 7)
    assert codes.make_random(**given) == "7".zfill(length)
