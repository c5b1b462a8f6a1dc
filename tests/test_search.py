"""A search text finds calls by number, id or user, and nonsense finds nothing."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Collate

from django_voicepassword.history import Reader, filters, search
from django_voicepassword.history import numbers as number_search
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.security.masking import mask
from tests.api.staff import make, verified

pytestmark = pytest.mark.django_db
COMMAND = Reader(None, "a command")


def phones_of(text: str) -> list[str]:
    return sorted(
        search.search_calls(CallRequest.objects.all(), text, COMMAND).values_list(
            "phone", flat=True
        )
    )


@pytest.fixture
def numbers() -> list[str]:
    phones = [
        "79991234567",
        "79990004567",
        "79990014567",
        "79990000067",
        "79990000099",
        "79990000009",
        "380501234567",
        "12025550123",
    ]
    for phone in phones:
        make(phone, provider_id=f"id-{phone[-3:]}")
    return phones


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("67", ["380501234567", "79990000067", "79990004567", "79990014567", "79991234567"]),
        ("99", ["79990000099"]),
        ("09", ["79990000009"]),
        ("567", ["380501234567", "79990004567", "79990014567", "79991234567"]),
        ("4567", ["380501234567", "79990004567", "79990014567", "79991234567"]),
        ("45-67", ["380501234567", "79990004567", "79990014567", "79991234567"]),
        ("04567", ["79990004567"]),
        ("1234567", ["380501234567", "79991234567"]),
        ("123-45-67", ["380501234567", "79991234567"]),
        ("91234567", ["79991234567"]),
        ("7", []),
        ("4568", []),
    ],
)
def test_an_ending_of_a_number_finds_it(numbers: list[str], text: str, expected: list[str]) -> None:
    assert phones_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "+7 999 123-45-67",
        "8 (999) 123-45-67",
        "79991234567",
        "9991234567",
        " 8-999-123-45-67 ",
        "+7\u00a0999\u00a0123\u201145\u201167",
        "+7.999.123.45.67",
        # As in an exported file, where a leading plus would make it a formula.
        "'+79991234567",
    ],
)
def test_a_whole_number_in_any_spelling_finds_only_itself(numbers: list[str], text: str) -> None:
    assert phones_of(text) == ["79991234567"]


def test_a_foreign_number_is_found(numbers: list[str]) -> None:
    assert phones_of("+1 202 555 0123") == ["12025550123"]
    assert phones_of("380501234567") == ["380501234567"]


def test_an_invalid_imported_number_is_found() -> None:
    make("000000000012")
    assert phones_of("000000000012") == ["000000000012"]


@pytest.mark.parametrize("masked", ["***67", mask("79990000067"), "+380 *******67"])
def test_a_masked_number_finds_every_number_that_it_may_be(numbers: list[str], masked: str) -> None:
    assert phones_of(masked) == [
        "380501234567",
        "79990000067",
        "79990004567",
        "79990014567",
        "79991234567",
    ]


@pytest.mark.parametrize("id", ["2f0c9-A", "1234", "777", "5", "a" * 63])
def test_an_id_of_the_provider_finds_the_call_and_its_sms(id: str) -> None:
    for channel in ("flashcall", "sms"):
        make("79990000001", provider_id=id, channel=channel)
    make("79990000002", provider_id=f"{id}0")
    assert phones_of(f" {id} ") == ["79990000001"] * 2


def test_an_id_is_not_found_by_a_longer_text() -> None:
    make("79990000001", provider_id="a" * 64)
    assert phones_of("a" * 65) == []


def test_a_user_name_or_its_beginning_finds_the_calls() -> None:
    for number, name in enumerate(["anna", "Анна Каренина", "bob_1", "bobx1"]):
        verified(name, f"7999000000{number}")
    assert phones_of("anna") == ["79990000000"]
    assert phones_of("Анна К") == ["79990000001"]
    # The wildcards of LIKE are ordinary characters.
    assert phones_of("bob_1") == ["79990000002"]
    assert phones_of("%") == []
    assert phones_of("na") == []


def test_a_verification_id_finds_its_calls() -> None:
    call = verified("anna")
    make("79990000002")
    assert phones_of(str(call.verification_id)) == [call.phone]
    assert phones_of(str(uuid4())) == []


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\ud800",
        "67\ud800",
        "ё" * 300,
        "9" * 300,
        "🙂",
        "٣٣٣٣",
        "４５６７",
        "*",
        "67*",
        "-",
        "'; DROP TABLE",
        "\\",
        "+",
        "{0}",
    ],
)
def test_nonsense_finds_nothing_and_raises_nothing(text: str) -> None:
    make("79990000001")
    assert phones_of(text) == []
    assert not filters.apply_filters(
        CallRequest.objects.all(), {"q": text, "error": text}, COMMAND
    ).exists()
    assert list(search.search_verifications(Verification.objects.all(), text, COMMAND)) == []
    assert list(search.search_phones(VerifiedPhone.objects.all(), text, COMMAND)) == []


def test_unprintable_characters_are_ignored(numbers: list[str]) -> None:
    assert phones_of("\x0004567\ud800") == ["79990004567"]
    assert len(phones_of("   ")) == len(numbers)


def test_verifications_and_verified_phones_are_found_too() -> None:
    call = verified("anna", "79990000099")
    assert call.verification is not None
    assert call.verification.user is not None
    VerifiedPhone.objects.create(user=call.verification.user, phone=call.phone)
    for text in ("99", "8 999 000-00-99", "ann", "+7 *** ***-**-99", str(call.verification_id)):
        assert (
            search.search_verifications(Verification.objects.all(), text, COMMAND).get()
            == call.verification
        )
    for text in ("99", "0099", "00099", "8 999 000-00-99", "9", "7999", "anna"):
        proved = search.search_phones(VerifiedPhone.objects.all(), text, COMMAND)
        assert proved.count() == (0 if text in ("9", "7999") else 1)


COLLATIONS = {
    "postgresql": ["C", "en-x-icu", "ru-x-icu"],
    "mysql": ["utf8mb4_bin", "utf8mb4_unicode_ci"],
    "sqlite": [],
}


def test_an_ending_is_found_in_every_collation(numbers: list[str]) -> None:
    """In most collations a colon sorts before the digits; in ASCII it sorts after them."""
    for ending in ("99", "09", "567"):
        bounds: Any = number_search._by_ending(ending, COMMAND).children
        conditions = {name.replace("phone_ending", "sorted"): value for name, value in bounds}
        for collation in COLLATIONS[connection.vendor]:
            calls = CallRequest.objects.annotate(sorted=Collate("phone_ending", collation)).filter(
                **conditions
            )
            assert sorted(calls.values_list("phone", flat=True)) == phones_of(ending) != []
