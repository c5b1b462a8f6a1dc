"""The trips of the guard: their list, the page of one, and the button that lifts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin import trip_texts
from django_voicepassword.admin.addresses import page_address
from django_voicepassword.admin.badges import badge
from django_voicepassword.admin.base import LongListAdmin
from django_voicepassword.admin.columns import short_moment, two_lines
from django_voicepassword.admin.dashboard.formatting import percent, whole
from django_voicepassword.limits import guard
from django_voicepassword.models import FraudTrip

_VIEW, _LIFT = "django_voicepassword.view_fraudtrip", "django_voicepassword.lift_fraudtrip"
_NAME = "django_voicepassword_fraudtrip"
#: Name of the page that a form to lift a trip is on -> where it leads back to.
_BACK = {"list": f"{_NAME}_changelist", "protection": "django_voicepassword_protection"}


def may_lift(request: HttpRequest) -> bool:
    return bool(request.user.has_perms((_VIEW, _LIFT)))


@dataclass(frozen=True)
class TripRow:
    """A trip on the page Protection. ``is_whole``: the reader may see whole numbers."""

    trip: FraudTrip
    is_whole: bool

    @property
    def subject(self) -> str:
        return trip_texts.subject(self.trip.kind, self.trip.subject, self.is_whole)

    @property
    def cause(self) -> str:
        return cause_of(self.trip)

    @property
    def tripped(self) -> str:
        return short_moment(self.trip.tripped_at)

    @property
    def ended(self) -> str:
        return short_moment(self.trip.ended_at) if self.trip.ended_at else ""

    @property
    def conversion(self) -> str:
        return percent(self.trip.conversion)

    @property
    def usual(self) -> str:
        return percent(self.trip.usual)


def cause_of(trip: FraudTrip) -> str:
    """Return the cause, and the mode where it refused nobody."""
    cause = trip.get_cause_display()
    return f"{cause}, {trip.get_mode_display()}" if trip.mode == FraudTrip.Mode.AUDIT else cause


def figures_of(trip: FraudTrip) -> tuple[str, str]:
    """Return the figures that tripped: the failures, and the conversion."""
    failures = _("%(failures)s in an hour, threshold %(threshold)s") % {
        "failures": whole(trip.failures),
        "threshold": whole(trip.threshold),
    }
    if trip.conversion is None:
        return failures, ""
    values = {"conversion": percent(trip.conversion), "usual": percent(trip.usual)}
    return failures, _("conversion %(conversion)s, usual %(usual)s") % values


@admin.register(FraudTrip)
class FraudTripAdmin(LongListAdmin):
    change_form_template = "admin/django_voicepassword/fraudtrip/change_form.html"
    list_display = ("tripped_short", "what", "figures", "how_it_ended", "lift_button")
    sortable_by = ("tripped_short",)
    list_filter = ("kind", "cause", "mode", "end")
    moment = "tripped_at"
    fields = (
        "what",
        "cause",
        "mode",
        "failures",
        "threshold",
        "conversion_percent",
        "usual_percent",
        "tripped_at",
        "quiet_since",
        "how_it_ended",
    )
    readonly_fields = ("what", "conversion_percent", "usual_percent", "how_it_ended")

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(self.lift_view)
        return [path("<int:pk>/lift/", lift, name=f"{_NAME}_lift"), *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = self._for_reader(super().get_list_display(request), request)
        return [name for name in columns if name != "lift_button" or may_lift(request)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self._for_reader(super().get_fields(request, obj), request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self._for_reader(super().get_readonly_fields(request, obj), request)

    def _for_reader(self, names: Any, request: HttpRequest) -> list[Any]:
        is_whole = request.user.has_perm("django_voicepassword.view_full_phone")
        return ["what_whole" if is_whole and name == "what" else name for name in names]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"may_lift": may_lift(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def lift_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End the trip, by POST. It is noted in the log and in the admin's history."""
        if not may_lift(request):
            raise PermissionDenied
        trip = FraudTrip.objects.filter(pk=pk).first()
        if trip is None:
            raise Http404
        if request.method == "POST":
            if guard.lift(trip, request.user):
                self.log_change(request, trip, _("Lifted: its failures count no more."))
                messages.success(request, _("Lifted: %(trip)s.") % {"trip": trip})
            else:
                messages.info(request, _("It had ended already: %(trip)s.") % {"trip": trip})
        return HttpResponseRedirect(self._back(request.POST.get("back", "")))

    def _back(self, page: str) -> str:
        try:
            return page_address(self.admin_site, _BACK.get(page, _BACK["protection"]))
        except NoReverseMatch:
            # A project may have an admin site without the page Protection.
            return page_address(self.admin_site, _BACK["list"])

    @admin.display(description=gettext_lazy("tripped"), ordering="tripped_at")
    def tripped_short(self, trip: FraudTrip) -> str:
        return short_moment(trip.tripped_at)

    @admin.display(description=gettext_lazy("what is suspected"))
    def what(self, trip: FraudTrip) -> str:
        return two_lines(trip_texts.subject(trip.kind, trip.subject), cause_of(trip))

    @admin.display(description=gettext_lazy("what is suspected"))
    def what_whole(self, trip: FraudTrip) -> str:
        subject = trip_texts.subject(trip.kind, trip.subject, is_whole=True)
        return two_lines(subject, cause_of(trip))

    @admin.display(description=gettext_lazy("figures"))
    def figures(self, trip: FraudTrip) -> str:
        return two_lines(*figures_of(trip))

    @admin.display(description=gettext_lazy("conversion"))
    def conversion_percent(self, trip: FraudTrip) -> str:
        return percent(trip.conversion)

    @admin.display(description=gettext_lazy("usual conversion"))
    def usual_percent(self, trip: FraudTrip) -> str:
        return percent(trip.usual)

    @admin.display(description=gettext_lazy("ended"))
    def how_it_ended(self, trip: FraudTrip) -> str:
        if trip.ended_at is None:
            return badge("bad", _("open"))
        return two_lines(short_moment(trip.ended_at), trip.get_end_display())

    @admin.display(description="", empty_value=" ")
    def lift_button(self, trip: FraudTrip) -> str:
        """A button of the list's own form: a form in a form would be lost."""
        if not trip.is_open:
            return ""
        return format_html(
            '<button type="submit" class="button vp-button" formaction="{}" name="back" '
            'value="list">{}</button>',
            page_address(self.admin_site, f"{_NAME}_lift", trip.pk),
            _("Lift"),
        )
