"""Trips of the guard in words."""

from __future__ import annotations

from django.utils.html import format_html

from django_voicepassword import phones
from django_voicepassword.models import FraudTrip

#: What stands for the last four digits of a block's numbers.
_LAST_FOUR = "****"


def subject(kind: str, subject: str, is_whole: bool = False) -> str:
    """Return what the guard suspects: ``operator prefix +7999``, ``network 192.0.2.0/24``.

    Of a block of numbers it shows the operator alone, unless ``is_whole``: with the last two digits
    of a masked number, which other pages show, it would be one of a hundred.
    """
    label = str(FraudTrip.Kind(kind).label)
    return (
        format_html("{} <b>{}</b>", label, _digits(kind, subject, is_whole)) if subject else label
    )


def plain_subject(kind: str, subject: str) -> str:
    """Return the same as text, for every reader."""
    return f"{FraudTrip.Kind(kind).label} {_digits(kind, subject, is_whole=False)}".strip()


def _digits(kind: str, subject: str, is_whole: bool) -> str:
    if kind == FraudTrip.Kind.PREFIX:
        return f"+{subject}"
    if kind != FraudTrip.Kind.BLOCK:
        return subject
    operator = phones.operator_prefix(subject)
    hidden = subject if is_whole else operator.ljust(len(subject), "*")
    return f"+{hidden}{_LAST_FOUR}"
