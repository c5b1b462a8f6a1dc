"""The account: VoicePassword refuses it, so nobody gets a code."""

from __future__ import annotations

from django.utils.translation import gettext as _

from django_voicepassword.limits.circuit import Refusal
from django_voicepassword.upkeep import words
from django_voicepassword.upkeep.needs import Kind, Need


def account_need(refusal: Refusal | None) -> Need | None:
    """Return the need to look after the account, by the result of ``limits.circuit.refusal``."""
    if refusal is None:
        return None
    if refusal.is_for_money:
        text = _(
            "Nobody gets a code: since %(since)s the account at VoicePassword has had no money."
        )
        advice = _("Pay into the account; calls then go on within a minute.")
    else:
        text = _(
            "Nobody gets a code: VoicePassword has refused the account since %(since)s (%(code)s)."
        )
        advice = _(
            "Compare API_KEY with the key in your personal account there, and see whether the "
            "account is blocked; calls then go on within a minute."
        )
    values = {"since": words.moment(refusal.since), "code": refusal.error_code}
    return Need(Kind.ACCOUNT, text % values, advice, is_grave=True)
