"""Money: the balance is low, or will be used up within two days."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from django_voicepassword.conf import settings
from django_voicepassword.models import money as amounts
from django_voicepassword.statistics import Forecast
from django_voicepassword.upkeep.needs import Kind, Need

#: Money for fewer days than these is too little: a transfer to the account may take a day.
ENOUGH_FOR_DAYS = 2


def money_need(found: Forecast | None) -> Need | None:
    """Return the need to pay into the account, by the result of ``statistics.forecast``.

    None where there is enough, or nothing is known.
    """
    if found is None:
        return None
    balance = amounts.rounded(found.balance, found.currency)
    if found.balance < ENOUGH_FOR_DAYS * found.spend_per_day:
        text = _(
            "The money lasts for less than two days: the balance is %(balance)s, and a day costs "
            "%(spend)s."
        )
    elif found.balance <= (settings.LOW_BALANCE or Decimal(0)):
        text = _("The balance is low: %(balance)s.")
    else:
        return None
    spend = amounts.rounded(found.spend_per_day, found.currency)
    return Need(Kind.MONEY, text % {"balance": balance, "spend": spend}, _("Pay into the account."))
