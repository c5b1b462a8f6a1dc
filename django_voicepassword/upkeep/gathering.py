"""Everything that somebody must do now, the gravest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.utils import timezone

from django_voicepassword.limits import circuit, selects
from django_voicepassword.limits.guard import state as guard
from django_voicepassword.models.moments import as_aware
from django_voicepassword.statistics import Forecast, forecast
from django_voicepassword.upkeep import beat
from django_voicepassword.upkeep.account import account_need
from django_voicepassword.upkeep.attacks import attack_need, open_trips
from django_voicepassword.upkeep.money import money_need
from django_voicepassword.upkeep.needs import Need
from django_voicepassword.upkeep.operators import Fall, falls, operator_need, outage_need
from django_voicepassword.upkeep.queue import queue_need, waiting

#: Seconds for which ``kept_figures`` keeps figures that change once an hour.
KEPT_FOR = 60
_CACHE_KEY = "django_voicepassword.upkeep.figures"


@dataclass(frozen=True)
class OwnersFigures:
    """What only the owner must know: how long the money lasts, and which operators fell."""

    forecast: Forecast | None
    falls: list[Fall]


def read_figures() -> OwnersFigures:
    """Read them from the database: three SELECTs."""
    return OwnersFigures(forecast(), falls())


def kept_figures() -> OwnersFigures:
    """Return them from Django's cache, where they are a minute old at most."""
    try:
        kept: OwnersFigures | None = cache.get(_CACHE_KEY)
        if kept is None:
            kept = read_figures()
            cache.set(_CACHE_KEY, kept, KEPT_FOR)
    except Exception:
        # Each cache has errors of its own. A page of the admin works without it.
        return read_figures()
    return kept


def needs(figures: OwnersFigures | None, now: datetime | None = None) -> list[Need]:
    """Return what somebody must do now. It takes three small SELECTs.

    Without ``figures``, what only the owner must know is left out.
    """
    now = now or timezone.now()
    counters = selects.counters([circuit.KEY, beat.KEY, guard.KEY])
    refusal, heard, state = (counters.get(key) for key in (circuit.KEY, beat.KEY, guard.KEY))
    found = [
        account_need(circuit.parse(refusal[0]) if refusal else None),
        queue_need(waiting(now)),
        beat.beat_need(as_aware(heard[1]) if heard else None, now),
        outage_need(guard.parse(state[0]).outages if state else []),
        attack_need(open_trips()),
    ]
    if figures is not None:
        # A refused account may have no money, and says so.
        found += [None if refusal else money_need(figures.forecast), operator_need(figures.falls)]
    return [need for need in found if need is not None]
