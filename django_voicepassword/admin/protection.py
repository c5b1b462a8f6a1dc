"""The page Protection: what the guard counts, its trips, and the button that lifts one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from django_voicepassword.admin.base import HistoryAdmin
from django_voicepassword.admin.trips import TripRow, may_lift
from django_voicepassword.conf import settings
from django_voicepassword.models import FraudTrip, Protection

NAME = "django_voicepassword_protection"
#: How many trips the page shows at most, of the open ones and of those that ended last.
MOST_OPEN, RECENT = 100, 20


@admin.register(Protection)
class ProtectionAdmin(HistoryAdmin):
    """Shows the page where Django shows a list of rows."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("django_voicepassword.view_fraudtrip"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        # Django's index page and the menus of themes reverse the second name.
        return [path("", view, name=NAME), path("", view, name=f"{NAME}_changelist")]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        is_whole = request.user.has_perm("django_voicepassword.view_full_phone")
        open_trips = FraudTrip.objects.filter(active_key__isnull=False)
        ended = FraudTrip.objects.filter(active_key__isnull=True)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Protection"),
            "now": timezone.now(),
            "mode": settings.FRAUD_GUARD,
            "mode_text": _mode_text(),
            "open_trips": [TripRow(trip, is_whole) for trip in open_trips[:MOST_OPEN]],
            "recent_trips": [TripRow(trip, is_whole) for trip in ended[:RECENT]],
            "may_lift": may_lift(request),
            "has_trip_list": self.admin_site.is_registered(FraudTrip),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/django_voicepassword/protection/page.html", context)


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
