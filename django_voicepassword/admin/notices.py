"""Notices on every page of the admin: a refused account, and an attack that is suspected."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.admin import trip_texts
from django_voicepassword.conf import settings
from django_voicepassword.limits import circuit
from django_voicepassword.models import FraudTrip
from django_voicepassword.models.moments import as_aware

#: Set on a request that has its notices.
_WARNED = "_voicepassword_warned"
#: Of so many open trips the notice tells how many there are.
_COUNTED_TRIPS = 1000


def warn(request: HttpRequest, site: AdminSite) -> None:
    """Add the notices to this page, once for each page, also one that answers a POST."""
    if hasattr(request, _WARNED):
        return
    setattr(request, _WARNED, True)
    waiting = _waiting(request)
    for level, text in [*_account(), *_trips(request, site)]:
        if text not in waiting:
            messages.add_message(request, level, text, fail_silently=True)


def _waiting(request: HttpRequest) -> set[str]:
    """Return the messages that this page will show anyway.

    A page that was not rendered, because its form led elsewhere, leaves its own for the next one.
    """
    storage = messages.get_messages(request)
    try:
        return {str(message) for message in storage}
    finally:
        # To read them is no reason to drop them. A project without messages has a list here.
        if hasattr(storage, "used"):
            storage.used = False


def _account() -> Iterator[tuple[int, str]]:
    refusal = circuit.refusal()
    if refusal is not None:
        yield messages.ERROR, _account_text(refusal)


def _account_text(refusal: circuit.Refusal) -> str:
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


def _trips(request: HttpRequest, site: AdminSite) -> Iterator[tuple[int, str]]:
    if settings.FRAUD_GUARD == "off":
        return
    trips = FraudTrip.objects.filter(active_key__isnull=False).order_by("tripped_at", "id")
    found = list(trips[:_COUNTED_TRIPS])
    if found:
        address = _protection(request, site)
        text = _trips_text(found)
        if address:
            text = format_html('{} <a href="{}">{}</a>', text, address, _("Protection"))
        yield messages.WARNING, text


def _trips_text(trips: list[FraudTrip]) -> str:
    """Return what is suspected, and what that means for people."""
    oldest = trips[0]
    values = {
        "what": trip_texts.plain_subject(oldest.kind, oldest.subject),
        "since": date_format(
            timezone.localtime(as_aware(oldest.tripped_at)), "SHORT_DATETIME_FORMAT"
        ),
        "count": len(trips),
    }
    suspected = _("An attack is suspected since %(since)s: %(what)s.")
    if len(trips) > 1:
        suspected = ngettext(
            "Attacks are suspected in %(count)d place since %(since)s, first: %(what)s.",
            "Attacks are suspected in %(count)d places since %(since)s, first: %(what)s.",
            len(trips),
        )
    if settings.FRAUD_GUARD == "audit":
        consequence = _("FRAUD_GUARD is “audit”: nobody is refused.")
    else:
        consequence = _(
            "There, people on new devices must solve a challenge or type a longer code, or wait."
        )
    return f"{suspected % values} {consequence}"


def _protection(request: HttpRequest, site: AdminSite) -> str:
    """Return the address of the page Protection; "" where this reader or site has none."""
    if not request.user.has_perm("django_voicepassword.view_fraudtrip"):
        return ""
    try:
        return reverse("admin:django_voicepassword_protection", current_app=site.name)
    except NoReverseMatch:
        return ""
