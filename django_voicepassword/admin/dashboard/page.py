"""The page of the dashboard: its permission, its URL and its context."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone as django_timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_voicepassword import upkeep
from django_voicepassword.admin import notices
from django_voicepassword.admin.dashboard import charts, formatting, tables
from django_voicepassword.admin.dashboard.balance import balance, newest_reading, why_unknown
from django_voicepassword.admin.dashboard.query import Selection, read_selection
from django_voicepassword.admin.dashboard.reconciliation import reconcile
from django_voicepassword.admin.dashboard.tiles import tiles
from django_voicepassword.admin.single_page import SinglePageAdmin
from django_voicepassword.conf import settings
from django_voicepassword.models import Dashboard
from django_voicepassword.statistics import Forecast, provider_today
from django_voicepassword.statistics.balance import predict
from django_voicepassword.statistics.reading import oldest_day
from django_voicepassword.upkeep import Need

NAME = "django_voicepassword_dashboard"


@admin.register(Dashboard)
class DashboardAdmin(SinglePageAdmin):
    """The dashboard. Its model has no rows."""

    page_name = NAME
    page_template = "admin/django_voicepassword/dashboard/page.html"
    page_permission = "django_voicepassword.view_dailystatistics"

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        selection = read_selection(request.GET, provider_today())
        return {
            "title": _("Dashboard"),
            "selection": selection,
            **self._figures(selection, request),
            "differing_calls": self._differing_calls(request),
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        notices.omit(request)
        return super().changelist_view(request, extra_context)

    def _needs(
        self, request: HttpRequest, prediction: Forecast | None
    ) -> list[tuple[Need, SafeString | str]]:
        """Return what somebody must do now, each with a link or "". It is what notices show."""
        links = notices.links(request, self.admin_site)
        figures = upkeep.OwnersFigures(prediction, upkeep.falls())
        return [(need, links.get(need.kind, "")) for need in upkeep.needs(figures)]

    def _figures(self, selection: Selection, request: HttpRequest) -> dict[str, Any]:
        """Return every figure of the page, by a number of queries that does not grow with calls."""
        period = selection.period
        reading = newest_reading()
        currency = reading.currency if reading else ""
        prediction = predict(reading.balance, currency) if reading else None
        days, channels = period.by_day(), period.by_channel()
        daily_charts = charts.by_day(days, channels[period.channel], currency)
        latest_balance = balance(reading, prediction) if reading and prediction else None
        all_charts = [*daily_charts, *([latest_balance.chart] if latest_balance else [])]
        oldest = oldest_day()
        return {
            "needs": self._needs(request, prediction),
            "now": django_timezone.now(),
            "tiles": tiles(period, days, datetime.now(timezone.utc), currency),
            "unanswered_note": formatting.unanswered_note(period.channel),
            "channels": tables.by_channel(channels, currency),
            "charts": daily_charts,
            "hours": tables.by_hour(period),
            "prefixes": tables.worst_prefixes(period, currency),
            "min_started": tables.MIN_STARTED,
            "balance": latest_balance,
            "balance_unknown": "" if latest_balance else why_unknown(),
            "reconciliation": reconcile(period),
            "chart_data": {chart.name: chart.data for chart in all_charts},
            "uncounted_before": oldest if oldest and oldest > period.first else None,
            "is_uncounted": oldest is None,
            "provider_zone": settings.PROVIDER_TIME_ZONE,
            "reader_zone": django_timezone.get_current_timezone_name(),
        }

    def _differing_calls(self, request: HttpRequest) -> str:
        """Return the address of the list of calls with a difference.

        Empty if the user may not see calls, or if this admin site has no list of them.
        """
        if not request.user.has_perm("django_voicepassword.view_callrequest"):
            return ""
        try:
            calls = reverse(
                "admin:django_voicepassword_callrequest_changelist",
                current_app=self.admin_site.name,
            )
        except NoReverseMatch:
            return ""
        return f"{calls}?differs=any"
