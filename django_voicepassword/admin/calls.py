"""Calls: the list that support searches, and the page of one call with its events."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from django_voicepassword import history
from django_voicepassword.admin import changelist
from django_voicepassword.admin.actions import SupportMixin, available_actions
from django_voicepassword.admin.addresses import customer_address, may_see, page_address
from django_voicepassword.admin.advice import advise
from django_voicepassword.admin.badges import badge, verification_badge
from django_voicepassword.admin.base import PhoneAdmin
from django_voicepassword.admin.columns import StatusBadges, call_words, counts, short_moment
from django_voicepassword.admin.exporting import ExportMixin
from django_voicepassword.admin.obstacles import Situation
from django_voicepassword.admin.refusals import refusals_of
from django_voicepassword.admin.timeline import events
from django_voicepassword.admin.unblocking import PERMISSIONS, UnblockMixin, unblocking_of
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import masking
from django_voicepassword.security.sensitive import sensitive

#: How many other calls to the number the page of a call shows.
OTHER_CALLS = 10


@admin.register(CallRequest)
class CallRequestAdmin(SupportMixin, UnblockMixin, ExportMixin, StatusBadges, PhoneAdmin):
    change_list_template = "admin/django_voicepassword/callrequest/change_list.html"
    change_form_template = "admin/django_voicepassword/callrequest/change_form.html"
    list_display = (
        "created_short",
        "phone_masked",
        "channel",
        "state_or_error",
        "approval",
        "price_short",
        "user_link",
    )
    # Any other order would read the whole history.
    sortable_by = ("created_short",)
    list_filter = (
        changelist.StateFilter,
        changelist.ChannelFilter,
        changelist.OriginFilter,
        changelist.DifferenceFilter,
        changelist.ErrorFilter,
    )
    # Django shows the search box only with search_fields; get_search_results does the search.
    search_fields = ("phone",)
    search = staticmethod(history.search_calls)
    search_help_text = gettext_lazy(
        "The last digits of a number, a whole number, the provider's id, a user, or an address"
    )
    #: What the story above does not tell; empty fields are left out.
    fieldsets = (
        (
            gettext_lazy("Technical details"),
            {
                "fields": (
                    "phone_masked",
                    "verification_link",
                    "user_link",
                    "state_badge",
                    "error_code",
                    "provider_id",
                    "service",
                    "price_short",
                    "duration_seconds",
                    "difference_words",
                    "listed_at",
                    "finished_at",
                    "occurred_at",
                )
            },
        ),
    )
    readonly_fields = (
        "phone_masked",
        "verification_link",
        "user_link",
        "state_badge",
        "price_short",
        "duration_seconds",
        "difference_words",
    )

    def get_urls(self) -> list[URLPattern]:
        site, name = self.admin_site, "django_voicepassword_callrequest"
        return [
            path("unblock/", site.admin_view(self.unblock_view), name=f"{name}_unblock"),
            path(
                "unblock-address/",
                site.admin_view(self.unblock_address_view),
                name=f"{name}_unblock_address",
            ),
            path(
                "<path:object_id>/do/<slug:name>/", site.admin_view(self.do_view), name=f"{name}_do"
            ),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[changelist.CallList]:
        return changelist.CallList

    @method_decorator(sensitive)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_see_dashboard = request.user.has_perm("django_voicepassword.view_dailystatistics")
        context = {"may_see_dashboard": may_see_dashboard, **(extra_context or {})}
        response = super().changelist_view(request, context)
        if isinstance(response, TemplateResponse) and response.status_code == 200:
            # Only now: a search that is refused must not tell what is used of the number's limits.
            query = request.GET.get("q", "")
            panel = {
                "may_unblock": request.user.has_perms(PERMISSIONS),
                "unblocking": unblocking_of(query, request),
                "refusals": refusals_of(query, request),
            }
            response.context_data = {**(response.context_data or {}), **panel}
        return response

    @method_decorator(sensitive)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        call = self.get_object(request, object_id)
        context = {}
        if call is not None and self.has_view_permission(request, call):
            context = self._story_context(call, request)
        return super().change_view(
            request, object_id, form_url, {**context, **(extra_context or {})}
        )

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if not isinstance(obj, CallRequest):
            return super().get_fieldsets(request, obj)
        empty = _empty_fields(obj)
        return [
            (name, {**options, "fields": [one for one in options["fields"] if one not in empty]})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[CallRequest]:
        return super().get_queryset(request).select_related("verification__user")

    def _story_context(self, call: CallRequest, request: HttpRequest) -> dict[str, Any]:
        """Return what the page of a call shows above its fields."""
        calls: list[CallRequest] = []
        if call.verification_id is not None:
            calls = list(
                CallRequest.objects.filter(verification_id=call.verification_id).order_by("id")
            )
        other_calls = (
            history.to_number(CallRequest.objects.all(), call.phone)
            .exclude(pk=call.pk)
            .order_by("-created_at", "-id")[:OTHER_CALLS]
        )
        actions = available_actions(Situation.of(call, calls), request, self.admin_site)
        call_list = page_address(self.admin_site, "django_voicepassword_callrequest_changelist")
        return {
            "call": call,
            "advice": advise(call),
            "actions": actions,
            "obstructed": any(action.obstacle for action in actions),
            "customer": customer_address(self.admin_site, ("call", call.pk)),
            "events": events(
                call,
                call.statuses.order_by("id"),
                self._staff_entries(call),
                str if self.shows_whole_phones(request) else masking.mask_name,
            ),
            "other_calls": [
                (other, short_moment(other.created_at), call_words(other)) for other in other_calls
            ],
            "calls_of_number": f"{call_list}?{changelist.NUMBER_OF}={call.pk}",
        }

    def _staff_entries(self, call: CallRequest) -> QuerySet[LogEntry]:
        """Return the entries of the admin's history: what the staff did about the call."""
        kind = ContentType.objects.get_for_model(CallRequest)
        return LogEntry.objects.filter(content_type=kind, object_id=quote(call.pk)).select_related(
            "user"
        )

    @admin.display(description=gettext_lazy("difference"))
    def difference_words(self, call: CallRequest) -> str:
        return (
            ", ".join(str(flag.label) for flag in CallRequest.Difference if call.difference & flag)
            or "–"
        )

    @admin.display(description=gettext_lazy("verification"))
    def approval(self, call: CallRequest) -> str:
        """Show how the verification stands; that a call is of another system, where it has none."""
        if call.verification is not None:
            return verification_badge(call.verification)
        is_own = call.origin == CallRequest.Origin.APP
        return "–" if is_own else badge("plain", call.get_origin_display())

    @admin.display(description=gettext_lazy("state"))
    def state_or_error(self, call: CallRequest) -> str:
        return call_words(call)

    def substitute_columns(self, request: HttpRequest) -> dict[str, str]:
        columns = super().substitute_columns(request)
        if not may_see(self.admin_site, Verification, request):
            columns["verification_link"] = "verification_text"
        return columns

    @admin.display(description=gettext_lazy("verification"))
    def verification_text(self, call: CallRequest) -> str:
        verification = call.verification
        if verification is None:
            return "–"
        return format_html("{} {}", verification_badge(verification), counts(verification))

    @admin.display(description=gettext_lazy("verification"))
    def verification_link(self, call: CallRequest) -> str:
        verification = call.verification
        if verification is None:
            return "–"
        name = "django_voicepassword_verification_change"
        address = page_address(self.admin_site, name, verification.pk)
        return format_html(
            '{} <a href="{}">{}</a>',
            verification_badge(verification),
            address,
            counts(verification),
        )


def _empty_fields(call: CallRequest) -> set[str]:
    """Return the fields of the page of a call that would show nothing."""
    names = ("error_code", "provider_id", "service", "listed_at", "finished_at", "occurred_at")
    empty = {name for name in names if not getattr(call, name)}
    if call.verification is None:
        empty |= {"verification_link", "verification_text"}
    if call.verification is None or call.verification.user_id is None:
        empty |= {f"user_{kind}{ending}" for kind in ("link", "name") for ending in ("", "_whole")}
    values = {
        "price_short": call.price is None,
        "duration_seconds": not call.duration,
        "difference_words": not call.difference,
    }
    return empty | {name for name, is_empty in values.items() if is_empty}
