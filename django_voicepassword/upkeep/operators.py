"""Operators whose conversion has fallen, and those whose calls do not arrive at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Q, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.conf import settings
from django_voicepassword.limits.guard.state import EVERYWHERE
from django_voicepassword.models import PrefixFigures
from django_voicepassword.statistics import provider_today
from django_voicepassword.statistics.aggregation import ALL
from django_voicepassword.upkeep import words
from django_voicepassword.upkeep.needs import Kind, Need

#: A conversion that is lower by this much, as a share from 0 to 1, has fallen.
FELL_BY = 0.20
#: Each side of the comparison needs so many verifications: a few failures are no fall.
MIN_STARTED = 20
#: So many days say what is usual.
USUAL_DAYS = 28


@dataclass(frozen=True)
class Fall:
    """The conversion of an operator, 0 to 1: what is ``usual``, and what it is ``now``."""

    prefix: str
    usual: float
    now: float


def falls(today: date | None = None) -> list[Fall]:
    """Return the operators whose conversion has fallen by FELL_BY, the deepest fall first.

    Today is compared with the USUAL_DAYS before yesterday; where it has too few verifications yet,
    yesterday is added to it. One SELECT of stored figures, which ``sync_daily`` counts every hour.
    """
    today = today or provider_today()
    yesterday = today - timedelta(days=1)
    rows = PrefixFigures.objects.filter(
        channel=ALL, date__gte=yesterday - timedelta(days=USUAL_DAYS), date__lte=today
    )
    spans = {
        "today": Q(date=today),
        "recent": Q(date__gte=yesterday),
        "usual": Q(date__lt=yesterday),
    }
    sums = {
        f"{span}_{field}": Sum(field, filter=condition, default=0)
        for span, condition in spans.items()
        for field in ("started", "approved")
    }
    operators: Iterable[Any] = rows.values("prefix").order_by("prefix").annotate(**sums)
    found = [fall for row in operators if (fall := _fall(row)) is not None]
    return sorted(found, key=lambda fall: fall.now - fall.usual)


def operator_need(found: list[Fall]) -> Need | None:
    """Return the need to look after the operators of ``falls``; None where there is none."""
    if not found:
        return None
    deepest = found[0]
    text = _("Conversion with the operator %(prefix)s has fallen from %(usual)s to %(now)s.")
    if len(found) > 1:
        text = ngettext(
            "Conversion has fallen with %(count)d operator, most of all with %(prefix)s: from "
            "%(usual)s to %(now)s.",
            "Conversion has fallen with %(count)d operators, most of all with %(prefix)s: from "
            "%(usual)s to %(now)s.",
            len(found),
        )
    values = {
        "count": len(found),
        "prefix": f"+{deepest.prefix}",
        "usual": words.percent(deepest.usual),
        "now": words.percent(deepest.now),
    }
    advice = _(
        "See how its calls end. If flash calls do not arrive, put “voice” first in CHANNELS and "
        "ask VoicePassword."
    )
    return Need(Kind.OPERATOR, text % values, advice)


def outage_need(prefixes: Collection[str]) -> Need | None:
    """Return the need to look after calls that do not arrive; None where there are none.

    ``prefixes`` are those of ``State.outages`` of the guard, which sees that people on known
    devices fail as well. With FRAUD_GUARD "off" it does not look.
    """
    if not prefixes or settings.FRAUD_GUARD == "off":
        return None
    if EVERYWHERE in prefixes:
        text = _("Calls seem not to arrive, for people on known devices too.")
    else:
        text = _("Calls to %(prefixes)s seem not to arrive, for people on known devices too.") % {
            "prefixes": ", ".join(f"+{prefix}" for prefix in sorted(prefixes))
        }
    advice = _("Ask VoicePassword. Until then put another channel first in CHANNELS.")
    return Need(Kind.OUTAGE, text, advice, is_grave=True)


def _fall(row: dict[str, Any]) -> Fall | None:
    span = "today" if row["today_started"] >= MIN_STARTED else "recent"
    if row[f"{span}_started"] < MIN_STARTED or row["usual_started"] < MIN_STARTED:
        return None
    usual = row["usual_approved"] / row["usual_started"]
    now = row[f"{span}_approved"] / row[f"{span}_started"]
    # Rounded: 0.85 - 0.65 is less than 0.2.
    return Fall(row["prefix"], usual, now) if round(usual - now, 6) >= FELL_BY else None
