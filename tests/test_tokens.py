"""Callback tokens and proofs: read while they are valid, and impossible to forge."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_voicepassword.exceptions import InvalidProof
from django_voicepassword.security import callback_tokens
from django_voicepassword.verifications import proofs


# Without a deadline: a busy machine may stop a process for longer than its 200 ms.
@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**63 - 1), st.text(max_size=80))
def test_a_callback_token_cannot_be_guessed(pk: int, other: str) -> None:
    token = callback_tokens.make_callback_token(pk)
    assert callback_tokens.parse_callback_token(token) == pk
    assert callback_tokens.parse_callback_token(other) is None
    assert callback_tokens.parse_callback_token(f"{pk + 1}.{token.partition('.')[2]}") is None


def test_a_proof_cannot_be_guessed() -> None:
    id = uuid.uuid4()
    proof = proofs.sign(id)
    assert proofs.parse(proof) == id
    for other in ("", "x", proof + "x", callback_tokens.make_callback_token(1)):
        with pytest.raises(InvalidProof):
            proofs.parse(other)
