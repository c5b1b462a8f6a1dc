"""Phone numbers: every spelling is normalized to one, and masking keeps two digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone
from django_voicepassword.security import masking


@pytest.mark.parametrize(
    "written",
    [
        "79991234567",
        "+79991234567",
        "8 (999) 123-45-67",
        "8-999-123-45-67",
        "+7 999 123 45 67",
        " 9991234567 ",
        "+8 999 123-45-67",
        "+ 8 (999) 123-45-67",
        "+89991234567",
        "\uff0b8 999 123-45-67",
        "(+8) 999 123-45-67",
        "+7\u00a0999\u00a0123‑45‑67",
        "tel:+7-999-123-45-67".removeprefix("tel:"),
    ],
)
def test_every_spelling_is_normalized_to_one_number(written: str) -> None:
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
        "+9 991 234-56-7",
        "79991234567; DROP",
        "7" * 41,
        "+7999123456\n7\x00",
        True,
        b"79991234567",
        "７９９９１２３４５６７８９",
    ],
)
def test_the_error_for_an_invalid_number_does_not_repeat_it(written: Any) -> None:
    with pytest.raises(InvalidPhone) as caught:
        phones.normalize(written)
    assert "999" not in str(caught.value)


def test_numbers_of_other_countries_and_regions_are_normalized(
    configure: Callable[..., None],
) -> None:
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
def test_any_text_is_refused_or_normalized_stably(written: str) -> None:
    try:
        phone = phones.normalize(written)
    except InvalidPhone:
        return
    assert phone.isascii()
    assert phone.isdigit()
    assert phones.normalize(phone) == phones.normalize(f"+{phone}") == phone
    assert phone[-5:-2] not in masking.mask(phone)
