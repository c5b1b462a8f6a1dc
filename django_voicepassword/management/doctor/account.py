"""The account at the provider: is the key right, is there money, and do our clocks agree?"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from django_voicepassword import upkeep
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import AccountRefused, ProviderError
from django_voicepassword.limits import circuit, prices
from django_voicepassword.management.doctor import clocks
from django_voicepassword.management.doctor.deadlines import PATIENCE, within
from django_voicepassword.management.doctor.findings import (
    Finding,
    fault,
    fine,
    skipped,
    warning,
)
from django_voicepassword.models.money import rounded
from django_voicepassword.provider import Balance, factory, server_clock
from django_voicepassword.statistics.balance import predict
from django_voicepassword.verifications import operator_texts


def account() -> Iterator[Finding]:
    """The key and the money, by one request for the balance; and the clock.

    The balance is not stored, and a refusal does not stop the sends of the site: this process may
    have another key than web and workers.
    """
    if factory.is_pretended():
        text = _("TRANSPORT is “%(transport)s”: there is no account, and nobody is called.")
        yield skipped(_("API key"), text % {"transport": factory.transport()})
        return
    try:
        balance = factory.client().balance()
    except AccountRefused as error:
        yield _refused(error.error_code)
    except ProviderError as error:
        advice = _("Open the way to the address of API_URL, port 443, or wait for the provider.")
        yield fault(_("account"), operator_texts.error_text(error), advice)
    else:
        yield fine(_("API key"), _("VoicePassword accepts it."))
        yield _money(balance)
    if factory.transport() == "http":
        yield _clock()


def _refused(error_code: str) -> Finding:
    if error_code.casefold() == circuit.NO_MONEY:
        return fault(
            _("money"), _("VoicePassword says that there is none."), _("Pay into the account.")
        )
    return fault(
        _("API key"),
        operator_texts.account_refused_text(error_code),
        _("Set API_KEY in the environment of web, workers and beat, then restart them."),
    )


def _money(balance: Balance) -> Finding:
    name, shown = _("money"), rounded(balance.amount, balance.currency)
    if balance.amount < prices.dearest_price():
        text = _("The balance of %(balance)s does not pay for a send.")
        return fault(name, text % {"balance": shown}, _("Pay into the account."))
    forecast = predict(balance.amount, balance.currency)
    need = upkeep.money_need(forecast)
    if need is not None:
        return warning(name, need.text, need.advice)
    if forecast.ends_on is None:
        return fine(name, shown)
    text = _("%(balance)s: enough until %(day)s.")
    return fine(name, text % {"balance": shown, "day": forecast.ends_on})


def _clock() -> Finding:
    name = _("clock of the provider")
    try:
        ahead = within(
            PATIENCE, lambda: server_clock.seconds_ahead(settings.API_URL, factory.timeout())
        )
    except TimeoutError:
        ahead = None
    if ahead is None:
        return skipped(name, _("The provider's server does not tell its time."))
    # Its header has whole seconds.
    return clocks.finding(name, ahead, tolerated=clocks.TOLERATED + 1)
