"""Amounts of money as text: exact on rows and in files, rounded where figures are summed up."""

from __future__ import annotations

from decimal import Decimal

from django.utils.formats import number_format

_CENT = Decimal("0.01")
#: How the provider writes roubles, in lower case.
_ROUBLES = ("rub", "rur", "руб", "руб.")


def shortest(amount: Decimal) -> Decimal:
    """The same amount with two decimal places, or as many more as it needs.

    Columns have four decimal places, so an amount read from the database ends in zeros.
    """
    return amount.normalize() + Decimal("0.00")


def plain(amount: Decimal, decimal_sign: str = ".") -> str:
    """Write the exact amount for a file or a log: ``0.35``, ``12500.00``, ``3.305``."""
    return str(shortest(amount)).replace(".", decimal_sign)


def exact(amount: Decimal, currency: str = "") -> str:
    """Write the exact amount in the active locale: ``0,35``, ``3,305 ₽``."""
    return _with_currency(number_format(shortest(amount)), currency)


def rounded(amount: Decimal, currency: str = "") -> str:
    """Write the amount in the active locale, rounded to two places, its thousands grouped:
    ``12 500,00 ₽``.
    """
    return _with_currency(number_format(amount.quantize(_CENT), 2, force_grouping=True), currency)


def sign(currency: str) -> str:
    """Return ``₽`` for the provider's ``Rub``; another word of the provider as it is."""
    return "₽" if currency.strip().lower() in _ROUBLES else currency


def _with_currency(number: str, currency: str) -> str:
    """Join with a no-break space: the amount and its currency stay on one line."""
    return f"{number}\N{NO-BREAK SPACE}{sign(currency)}" if currency else str(number)
