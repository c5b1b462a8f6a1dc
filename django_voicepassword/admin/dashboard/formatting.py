"""Figures as text in the active language."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.models import CallRequest
from django_voicepassword.models import money as amounts

#: Stands for a figure without a value, such as a rate without a base.
NO_VALUE = "–"


def whole(number: int) -> str:
    return str(number_format(number, force_grouping=True))


def percent(rate: float | None, places: int = 1) -> str:
    """Format a rate from 0 to 1 as a percentage."""
    if rate is None:
        return NO_VALUE
    return _("%(percent)s%%") % {
        "percent": number_format(round(rate * 100, places), places, force_grouping=True)
    }


def money(amount: Decimal | None, currency: str = "") -> str:
    """Format an amount; ``currency`` is the provider's word, empty where it gave none."""
    return NO_VALUE if amount is None else amounts.rounded(amount, currency)


def seconds(number: int | None) -> str:
    return NO_VALUE if number is None else ngettext("%d s", "%d s", number) % number


def day(value: date) -> str:
    return str(date_format(value, "DATE_FORMAT"))


def prefix(digits: str) -> str:
    return f"+{digits}"


def channel(value: str) -> str:
    """Return the label of a channel; the empty value stands for all channels together."""
    return str(CallRequest.Channel(value).label) if value else _("all channels")


def unanswered_note(channel: str) -> str:
    """Say why few calls are answered; empty for a channel whose calls must be."""
    if channel not in ("", CallRequest.Channel.FLASHCALL):
        return ""
    return _("Nobody answers a flash call: the number that calls is the code.")


def decimal(number: float) -> str:
    return str(number_format(number, 1, force_grouping=True))
