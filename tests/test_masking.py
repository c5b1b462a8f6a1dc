"""The exact result of masking; ``tests/hostile/test_masking.py`` searches for leaks."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from django_voicepassword.security import masking

NUMBER = "79990000001"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" a ", "a"),
        ("a\x00b\nc\r\td", "a b c  d"),
        ("\ud800a\udfff", "?a?"),
        ("Успешно €", "Успешно €"),
        ("\u202e1234", "1234"),
        ("a\u00a0b", "a b"),
    ],
)
def test_clean_text_removes_what_a_database_refuses(text: str, clean: str) -> None:
    assert masking.clean_text(text) == clean


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (NUMBER, "+7 *** ***-**-01"),
        ("+7 999 000-00-01", "+7 *** ***-**-01"),
        ("77011234567", "+7 *** ***-**-67"),
        # No number has this code of an operator: eleven digits after 7 are not looked up.
        ("70000000001", "+7 *** ***-**-01"),
        ("380671234567", "+380 *******67"),
        ("+1 202-555-0123", "+1 ********23"),
        ("2908123", "+290 ***23"),
        # No valid number in international form: neither a country code nor the length is shown.
        ("9990000001", "***01"),
        ("8 999 000-00-01", "***01"),
        ("790000000012", "***12"),
        ("+7 000 000-00-01", "***01"),
        ("1234567890", "***90"),
        ("1" * 16, "***11"),
        ("123456", "***56"),
        ("1", "***1"),
        ("seven", "***"),
        ("7nine567890", "***90"),
        ("", ""),
        # What RETENTION "mask" leaves has the country code alone.
        ("7999123****", "+7 *** ***-**-**"),
        ("1202555****", "+1 **********"),
        ("99912****", "*****"),
    ],
)
def test_a_masked_number_keeps_two_digits(number: str, masked: str) -> None:
    assert masking.mask(number) == masked
    assert masking.mask(masked) == masked
    assert masking.mask_words(masked) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"call to {NUMBER} failed", "call to +7 *** ***-**-01 failed"),
        ("+7 (999) 000-00-01", "+7 *** ***-**-01"),
        ("7___9999999999", "+7 *** ***-**-99"),
        # Digits with four characters between them belong to two numbers.
        ("123456789    012345678", "123456789    012345678"),
        ("123456789", "123456789"),
        (f"+380671234567, {NUMBER}.", "***01."),
        ("+380671234567: failed", "+380 *******67: failed"),
        ("1234567890", "***90"),
        ("the key k-e-y!", "the key ***!"),
        ("k-e-y-2 and k-e-y", "*** and ***"),
        (5, "5"),
        (None, "None"),
    ],
)
def test_secrets_and_numbers_in_a_text_are_masked(text: object, masked: str) -> None:
    assert masking.mask_text(text, "k-e-y", None, "", "k-e-y-2") == masked


def test_a_text_is_cut_after_it_is_masked() -> None:
    assert masking.mask_text("x" * 300) == "x" * 200
    assert masking.mask_text("x" * 195 + NUMBER) == "x" * 195 + "+7 **"
    assert masking.mask_text("x" * 197 + NUMBER) == "x" * 197 + "+7"
    assert masking.mask_text("abcdef", length=3) == "abc"
    assert masking.mask_words("abcdef", length=3) == "abc"


def test_a_code_among_words_is_masked() -> None:
    assert (
        masking.mask_words(f"code 1234, of 123 and {NUMBER}: s3cret", "s3cret")
        == "code ***, of 123 and +7 *** ***-**-01: ***"
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("code", "1234", "***"),
        ("Sent Code", 12, "***"),
        (" Message ", "hello", "***"),
        ("apiKey", "hello", "***"),
        ("security", None, "***"),
        ("authorization", ["hello"], "***"),
        ("error_code", "Code_Not_Valid", "Code_Not_Valid"),
        ("note", None, None),
        ("note", True, True),
        ("note", {"a": 1, "b": 2}, "(dict of 2)"),
        ("note", [1, 2, 3], "(list of 3)"),
        ("note", "pin 1234 of 123", "pin *** of 123"),
        ("note", "x" * 300, "x" * 200),
        ("note", "hello s3cret", "hello ***"),
        ("number", {"a": 1}, "***"),
        ("number", [NUMBER], "***"),
        ("number", NUMBER, "+7 *** ***-**-01"),
        ("number", int(NUMBER), "+7 *** ***-**-01"),
        ("number", f"call {NUMBER}", "+7 *** ***-**-01"),
        ("number", "123456789", "***89"),
        ("number", "x" * 300 + "123", "***23"),
        ("number", f"{NUMBER}s3cret", "***"),
        ("number", "", "***"),
        ("number", "s3cret", "***"),
        ("id", "1234567890", "1234567890"),
        ("id", 12, "12"),
        ("id", " 12\n", "12"),
        ("id", "x" * 70, "x" * 64),
        ("id", "1s3cret", "***"),
        ("id", "x" * 64 + "s3cret", "***"),
        ("date", " 11.09.2020 13:34:39 ", "11.09.2020 13:34:39"),
        ("date", "2020-02-02T15:18:48", "2020-02-02T15:18:48"),
        ("date", "02.02.2020 15:18 МСК", "02.02.2020 15:18 МСК"),
        ("date", "02.02.2020", "02.02.***"),
        ("date", f"11.09.2020 13:34:39{' ' * 45}", "11.09.2020 13:34:39"),
        ("date", f"11.09.2020 13:34:39{' ' * 45}{NUMBER}", f"***39{' ' * 45}+7 *** ***-**-01"),
        ("other", "2020-02-02 15:18:48", "***48"),
        ("price", "12345", "12345"),
        ("duration", 12345, "12345"),
        ("rows", 12345, "12345"),
        ("balance", "12345.00", "12345.00"),
        ("currency", "12345", "12345"),
        ("result", "12345", "12345"),
        ("result", "s3cret 12345", "*** 12345"),
        ("price", "x" * 100, "x" * 64),
        ("k" * 100, 1, "1"),
        ("pin 4821", "1", "1"),
    ],
)
def test_a_value_of_a_payload_is_masked_by_its_key(key: str, value: Any, expected: Any) -> None:
    masked = masking.mask_payload({key: value}, "s3cret", None)
    assert list(masked.values()) == [expected]


def test_a_key_of_a_payload_is_masked_and_cut_too() -> None:
    payload: dict[Any, int] = {"k" * 100: 1, "pin 4821": 2, "my s3cret": 3, 5: 4}
    assert masking.mask_payload(payload, "s3cret") == {
        "k" * 64: "1",
        "pin ***": "2",
        "my ***": "3",
        "5": "4",
    }


@pytest.mark.parametrize(
    ("number", "id", "expected"),
    [
        (NUMBER, NUMBER, "***"),
        (NUMBER, f"x{NUMBER}", "***"),
        ("+7 999 000-00-01", f"{NUMBER}5", "***"),
        (NUMBER, "9990000001", "9990000001"),
        ("1234567", "12345678", "***"),
        # Six digits are too few for a phone number.
        ("123456", "1234567", "1234567"),
        ("", "1234567", "1234567"),
    ],
)
@pytest.mark.parametrize("name", ["number", " NUMBER "])
def test_an_id_is_kept_unless_it_contains_the_number(
    name: str, number: str, id: str, expected: str
) -> None:
    assert masking.mask_payload({"id": id, name: number})["id"] == expected


def test_at_most_thirty_values_of_a_payload_are_kept() -> None:
    assert list(masking.mask_payload({f"{number}": number for number in range(40)})) == [
        f"{number}" for number in range(30)
    ]


def test_a_secret_inside_another_secret_does_not_protect_the_other() -> None:
    assert masking.mask_text("it is abcd", "cd", "abcd") == "it is ***"
    assert masking.mask_text("it is abcd", "abcd", "cd") == "it is ***"


@pytest.mark.parametrize("key", ["7c9e6679-7425-4012-8567-900123456789", uuid.UUID(int=0x99 << 80)])
def test_a_uuid_is_no_number(key: object) -> None:
    """One in ten has ten digits in a row, with the hyphens between them."""
    assert masking.mask_name(key) == str(key)
    assert not masking.has_number(str(key))
    assert masking.has_number(f"x{key}")
