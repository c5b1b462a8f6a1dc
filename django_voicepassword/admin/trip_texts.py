"""Trips of the guard in words."""

from __future__ import annotations

from django.utils.html import format_html

from django_voicepassword.models import FraudTrip
from django_voicepassword.upkeep import digits


def subject(kind: str, subject: str, is_whole: bool = False) -> str:
    """Return what the guard suspects: ``operator prefix +7999``, ``network 192.0.2.0/24``.

    A block of numbers is shown whole only with ``is_whole``.
    """
    label = str(FraudTrip.Kind(kind).label)
    return format_html("{} <b>{}</b>", label, digits(kind, subject, is_whole)) if subject else label
