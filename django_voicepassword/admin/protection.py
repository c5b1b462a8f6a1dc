"""The page Protection: what the guard counts, its trips, and the button that lifts one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword.admin import trip_texts
from django_voicepassword.admin.dashboard.formatting import percent
from django_voicepassword.admin.single_page import SinglePageAdmin
from django_voicepassword.admin.trips import TripRow, may_lift
from django_voicepassword.conf import settings
from django_voicepassword.limits import guard
from django_voicepassword.limits.guard import Gauge
from django_voicepassword.models import FraudTrip, Protection
from django_voicepassword.models.moments import as_aware

NAME = "django_voicepassword_protection"


@dataclass(frozen=True)
class GaugeRow:
    """What is counted for one subject. ``is_whole``: the reader may see whole numbers."""

    gauge: Gauge
    is_whole: bool

    @property
    def subject(self) -> str:
        return trip_texts.subject(self.gauge.kind, self.gauge.subject, self.is_whole)

    @property
    def cause(self) -> str:
        return str(FraudTrip.Cause(self.gauge.cause).label)

    @property
    def half(self) -> float:
        """Half of the threshold: the bar changes its colour there, and at ``most``."""
        return self.gauge.threshold / 2

    @property
    def most(self) -> float:
        """What is just under the threshold."""
        return self.gauge.threshold - 0.5

    @property
    def conversion(self) -> str:
        return percent(self.gauge.conversion)

    @property
    def trips_under(self) -> str:
        return percent(self.gauge.trips_under)


@admin.register(Protection)
class ProtectionAdmin(SinglePageAdmin):
    """The page Protection."""

    page_name = NAME
    page_template = "admin/django_voicepassword/protection/page.html"
    page_permission = "django_voicepassword.view_fraudtrip"

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        is_whole = request.user.has_perm("django_voicepassword.view_full_phone")
        now = timezone.now()
        figures = guard.figures(now)
        return {
            "title": _("Protection"),
            "now": now,
            "mode_text": _mode_text(),
            "gauges": [GaugeRow(gauge, is_whole) for gauge in figures.gauges],
            "open_trips": [TripRow(trip, is_whole) for trip in figures.open_trips],
            "recent_trips": [TripRow(trip, is_whole) for trip in figures.recent_trips],
            "audited": _audited(figures, is_whole),
            "usual": percent(figures.usual),
            "has_history": figures.has_history,
            "outages": [f"+{prefix}" if prefix else "" for prefix in figures.outages],
            "watched_at": figures.watched_at and as_aware(figures.watched_at),
            "may_lift": may_lift(request),
            "has_trip_list": self.admin_site.is_registered(FraudTrip),
        }


def _audited(figures: guard.Figures, is_whole: bool) -> list[tuple[TripRow, int]]:
    """Return each trip in ``audit`` with the number of sends that it would have stepped up."""
    trips = [*figures.open_trips, *figures.recent_trips]
    counts = figures.would_step_up
    return [(TripRow(trip, is_whole), counts[trip.pk]) for trip in trips if trip.pk in counts]


def _mode_text() -> str:
    """Return what the guard does when it suspects an attack, by the settings."""
    if settings.FRAUD_GUARD == "off":
        return _("The guard is off: it suspects nothing and refuses nobody.")
    if settings.FRAUD_GUARD == "audit":
        return _("The guard only watches: it shows here what it would do, and refuses nobody.")
    if settings.CHALLENGE:
        return _("During an attack, people on new devices must solve a challenge to get a code.")
    if settings.long_code:
        return _("During an attack, people on new devices get a longer code, or have to wait.")
    return _("During an attack, people on new devices have to wait.")
