"""Phone numbers from strangers: normalized, or refused by InvalidPhone."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.security import masking
from tests.hostile import strategies as hostile

#: Texts of the characters that the parser of numbers knows.
almost_numbers = st.text("+＋0123456789٣９-‑()[]./~ \u00a0;,x#*", max_size=45)


@hostile.thorough
@given(
    st.one_of(hostile.values, almost_numbers),
    st.sampled_from([None, "RU", "KZ", "US", "001", "ZZ", "\ud800"]),
)
def test_a_number_is_normalized_stably_or_refused(written: Any, region: str | None) -> None:
    try:
        phone = phones.normalize(written, region)
    except InvalidPhone:
        return
    assert (phone.isascii(), phone.isdigit(), 5 <= len(phone) <= 15) == (True, True, True)
    assert (
        phones.normalize(f"+{phone}", region) == phones.normalize(phones.national(phone)) == phone
    )


@hostile.thorough
@given(st.one_of(hostile.texts, hostile.phones, almost_numbers))
def test_a_masked_number_has_no_run_of_digits_of_the_number(phone: str) -> None:
    masked = masking.mask(phone)
    assert phones.national(phone) is not None
    if phone.isascii() and phone.isdigit() and len(phone) > 9:
        assert phone[-5:] not in masked.replace(" ", "")


@pytest.mark.parametrize("piece", ["7", "+", " ", "1 ", "\ud800", "é", ".", ":", "-"])
def test_a_megabyte_is_refused_in_a_moment(piece: str) -> None:
    long = piece * (10**6 // len(piece))
    began = time.process_time()
    with suppress(InvalidPhone):
        phones.normalize(long)
    masking.mask(long)
    phones.national(long)
    # Quadratic work would take hours.
    assert time.process_time() - began < 10
