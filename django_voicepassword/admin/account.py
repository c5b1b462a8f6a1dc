"""The banner of a refused account, on every page of the admin."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from django_voicepassword.limits import circuit

#: Set on a request that has its banner.
_WARNED = "_voicepassword_account_warned"


def warn_of_refused_account(request: HttpRequest) -> None:
    """Add a message to this page while the provider refuses the account, once for each page."""
    if request.method != "GET" or hasattr(request, _WARNED):
        return
    setattr(request, _WARNED, True)
    refusal = circuit.refusal()
    if refusal is not None:
        messages.error(request, _banner(refusal), fail_silently=True)


def _banner(refusal: circuit.Refusal) -> str:
    since = date_format(timezone.localtime(refusal.since), "SHORT_DATETIME_FORMAT")
    if refusal.is_for_money:
        text = _(
            "Nobody gets a code: the account at VoicePassword has had no money since %(since)s. "
            "Pay into it; calls then go on within a minute."
        )
    else:
        text = _(
            "Nobody gets a code: VoicePassword has refused the account since %(since)s "
            "(%(code)s). Its owner must look at the key and the block; calls then go on within a "
            "minute."
        )
    return text % {"since": since, "code": refusal.error_code}
