"""Phone numbers: every spelling is normalized to one, and masking keeps two digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_voicepassword import phones
from django_voicepassword.exceptions import InvalidPhone, PrefixNotAllowed
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


# Without a deadline: a busy machine may stop a process for longer than its 200 ms.
@settings(deadline=None)
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


@pytest.mark.parametrize(
    "phone",
    [
        "78091234567",  # Russia, premium rate
        "19002345678",  # the United States and Canada, premium rate
        "449012345678",  # Great Britain, premium rate
        "3759021234567",  # Belarus, premium rate
        "33891123456",  # France, premium rate
        "33884012345",  # France, shared cost
        "4918012345",  # Germany, shared cost
        "80812345678",  # international shared cost
        "870301234567",  # Inmarsat
        "881612345678",  # a global satellite network
        "8823421234",  # an international network
        "883510012345",
        "979123456789",  # international premium rate
    ],
)
@pytest.mark.parametrize("prefixes", [[], ["7", "1", "4", "3", "8", "9"]])
def test_some_numbers_are_never_called_whatever_the_prefixes_say(
    configure: Callable[..., None], phone: str, prefixes: list[str]
) -> None:
    configure(ALLOWED_PREFIXES=prefixes)
    with pytest.raises(PrefixNotAllowed):
        phones.check_allowed(phone)


@pytest.mark.parametrize(
    "phone",
    [
        "79991234567",
        "74951234567",  # a landline
        "78001234567",  # toll-free
        "77011234567",
        "12015550123",
        "447400123456",
        "4915123456789",
        "8613123456789",
        "8801812345678",  # Bangladesh, Taiwan, Emirates, Nepal: neighbours of the codes above
        "886912345678",
        "971501234567",
        "9779841234567",
    ],
)
def test_ordinary_numbers_of_all_countries_may_be_called(
    configure: Callable[..., None], phone: str
) -> None:
    configure(ALLOWED_PREFIXES=[])
    assert phones.normalize(f"+{phone}") == phone
    phones.check_allowed(phone)


def test_a_row_whose_number_cannot_be_read_is_never_called(configure: Callable[..., None]) -> None:
    configure(ALLOWED_PREFIXES=[])
    with pytest.raises(PrefixNotAllowed):
        phones.check_allowed("0000")
