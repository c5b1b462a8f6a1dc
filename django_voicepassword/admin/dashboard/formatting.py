"""Figures as a person reads them, in the reader's language."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.models import CallRequest

#: What has no value: a rate without a base.
NONE = "–"


def whole(number: int) -> str:
    return str(number_format(number, force_grouping=True))


def percent(rate: float | None, places: int = 1) -> str:
    """A rate from 0 to 1."""
    if rate is None:
        return NONE
    return _("%(percent)s%%") % {
        "percent": number_format(round(rate * 100, places), places, force_grouping=True)
    }


def money(amount: Decimal | None, currency: str = "") -> str:
    """An amount with two places; ``currency`` is the provider's word, where it told one."""
    if amount is None:
        return NONE
    shown = number_format(amount.quantize(Decimal("0.01")), 2, force_grouping=True)
    # The amount and its currency stay in one line.
    return f"{shown}\N{NO-BREAK SPACE}{currency}" if currency else str(shown)


def seconds(number: int | None) -> str:
    return NONE if number is None else ngettext("%d s", "%d s", number) % number


def day(value: date) -> str:
    return str(date_format(value, "DATE_FORMAT"))


def prefix(digits: str) -> str:
    return f"+{digits}"


def channel(value: str) -> str:
    """A channel in words; the empty one is all together."""
    return str(CallRequest.Channel(value).label) if value else _("all channels")


def decimal(number: float) -> str:
    return str(number_format(number, 1, force_grouping=True))
