"""Amounts of money as text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import translation

from django_voicepassword.models import BalanceReading, money


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("0.3500", "0.35"),
        ("3.3050", "3.305"),
        ("0.0001", "0.0001"),
        ("1234567.5000", "1234567.50"),
        ("1E+3", "1000.00"),
        ("-3.5", "-3.50"),
    ],
)
def test_an_exact_amount_has_two_places_or_as_many_as_it_needs(amount: str, text: str) -> None:
    assert money.plain(Decimal(amount)) == text
    assert money.plain(Decimal(amount), ",") == text.replace(".", ",")
    assert str(BalanceReading(balance=Decimal(amount), currency="Rub")) == f"{text} Rub"
    assert money.exact(Decimal(amount)) == text
    with translation.override("ru"):
        assert money.exact(Decimal(amount)) == text.replace(".", ",")
        assert money.exact(Decimal(amount), "Rub") == f"{text.replace('.', ',')}\xa0₽"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.3500", "0.35"), ("3.3050", "3.30"), ("1234567.5", "1,234,567.50")],
)
def test_a_rounded_amount_has_two_places_and_groups_of_thousands(amount: str, text: str) -> None:
    assert money.rounded(Decimal(amount)) == text
    with translation.override("ru"):
        russian = text.replace(",", "\xa0").replace(".", ",")
        assert money.rounded(Decimal(amount), "Rub") == f"{russian}\xa0₽"


def test_an_amount_without_a_currency_has_none() -> None:
    assert str(BalanceReading(balance=Decimal("100.5"))) == "100.50"
