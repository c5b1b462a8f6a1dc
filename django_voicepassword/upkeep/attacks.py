"""Attacks that the guard suspects: its open trips."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword import phones
from django_voicepassword.conf import settings
from django_voicepassword.limits import guard
from django_voicepassword.models import FraudTrip
from django_voicepassword.upkeep import words
from django_voicepassword.upkeep.needs import Kind, Need

#: So many open trips are counted at most.
MOST_COUNTED = 1000
#: What stands for the last four digits of a block's numbers.
_LAST_FOUR = "****"


def open_trips() -> list[FraudTrip]:
    """Return the open trips, the oldest first, MOST_COUNTED of them at most.

    With FRAUD_GUARD "off" there is none.
    """
    return [] if settings.FRAUD_GUARD == "off" else guard.open_trips(MOST_COUNTED)


def attack_need(trips: list[FraudTrip]) -> Need | None:
    """Return the need to look after ``open_trips``; None where there is none."""
    if not trips:
        return None
    oldest = trips[0]
    text = _("An attack is suspected since %(since)s: %(what)s.")
    if len(trips) > 1:
        text = ngettext(
            "Attacks are suspected in %(count)d place since %(since)s, first: %(what)s.",
            "Attacks are suspected in %(count)d places since %(since)s, first: %(what)s.",
            len(trips),
        )
    label = FraudTrip.Kind(oldest.kind).label
    values = {
        "what": f"{label} {digits(oldest.kind, oldest.subject)}".strip(),
        "since": words.moment(oldest.tripped_at),
        "count": len(trips),
    }
    return Need(Kind.ATTACK, text % values, _advice())


def digits(kind: str, subject: str, is_whole: bool = False) -> str:
    """Return the subject of a trip: ``+7999``, ``192.0.2.0/24``, ``+7999*******``.

    Of a block of numbers it shows the operator alone, unless ``is_whole``: with the last two digits
    of a masked number, which other pages show, it would be one of a hundred.
    """
    if kind == FraudTrip.Kind.PREFIX:
        return f"+{subject}"
    if kind != FraudTrip.Kind.BLOCK:
        return subject
    operator = phones.operator_prefix(subject)
    hidden = subject if is_whole else operator.ljust(len(subject), "*")
    return f"+{hidden}{_LAST_FOUR}"


def _advice() -> str:
    if settings.FRAUD_GUARD == "audit":
        return _("FRAUD_GUARD is “audit”: nobody is refused.")
    return _("There, people on new devices must solve a challenge or type a longer code, or wait.")
