"""Prices as the clerk reads them."""

from __future__ import annotations

from django_voicepassword.models import BalanceReading

#: The currency of an account whose balance was never read, in the provider's word.
_USUAL = "Rub"


def currency() -> str:
    """Return the provider's word for the account's currency, by the newest reading."""
    readings = BalanceReading.objects.order_by("-read_at")
    return readings.values_list("currency", flat=True).first() or _USUAL
