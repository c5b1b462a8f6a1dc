"""Calls, verifications and the numbers that were proved."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.base import HistoryAdmin, StatusBadges, badge
from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone


class ReportInline(StatusBadges, admin.TabularInline):
    """Everything that was reported of a call, in its order."""

    model = CallStatus
    verbose_name_plural = gettext_lazy("what was reported")
    fields = ("received_at", "source", "state_badge", "raw_state", "occurred_at", "duration_seconds", "price_short")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CallRequest)
class CallRequestAdmin(StatusBadges, HistoryAdmin):
    list_display = (
        "created_at",
        "phone_masked",
        "channel",
        "state_badge",
        "approval",
        "price_short",
        "duration_seconds",
        "error_code",
        "origin",
    )
    list_filter = ("state", "channel", "origin")
    search_fields = ("phone__startswith", "provider_id__exact")
    list_select_related = ("verification",)
    fieldsets = (
        (None, {"fields": ("phone_masked", "channel", "state_badge", "error_code", "verification_link", "origin")}),
        (
            gettext_lazy("Provider"),
            {"fields": ("provider_id", "service", "price_short", "duration_seconds", "difference_words", "listed_at")},
        ),
        (gettext_lazy("Times"), {"fields": ("created_at", "placed_at", "finished_at", "occurred_at")}),
    )
    readonly_fields = (
        "phone_masked",
        "state_badge",
        "verification_link",
        "price_short",
        "duration_seconds",
        "difference_words",
    )
    inlines = (ReportInline,)

    @admin.display(description=gettext_lazy("difference"))
    def difference_words(self, call: CallRequest) -> str:
        return ", ".join(str(one.label) for one in CallRequest.Difference if call.difference & one) or "–"

    @admin.display(description=gettext_lazy("verification"))
    def approval(self, call: CallRequest) -> str:
        verification = call.verification
        return "" if verification is None else badge(verification.status, verification.get_status_display())

    @admin.display(description=gettext_lazy("verification"))
    def verification_link(self, call: CallRequest) -> str:
        verification = call.verification
        if verification is None:
            return "–"
        address = reverse("admin:django_voicepassword_verification_change", args=[verification.pk])
        told = _("%(purpose)s, attempts: %(attempts)d, sends: %(sends)d") % {
            "purpose": verification.purpose,
            "attempts": verification.attempts,
            "sends": verification.sends,
        }
        state = badge(verification.status, verification.get_status_display())
        return format_html('{} <a href="{}">{}</a>', state, address, told)


class CallInline(StatusBadges, admin.TabularInline):
    """The calls and texts of a verification, in their order."""

    model = CallRequest
    fields = ("created_at", "channel", "state_badge", "error_code", "price_short", "duration_seconds")
    readonly_fields = fields
    ordering = ("id",)
    can_delete = False
    extra = 0
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Verification)
class VerificationAdmin(HistoryAdmin):
    list_display = ("created_at", "phone_masked", "purpose", "status_badge", "attempts", "sends", "user", "ip")
    list_filter = ("status",)
    search_fields = ("phone__startswith",)
    list_select_related = ("user",)
    fields = (
        "phone_masked",
        "purpose",
        "status_badge",
        "attempts",
        "sends",
        "user",
        "ip",
        "created_at",
        "expires_at",
        "approved_at",
    )
    readonly_fields = ("phone_masked", "status_badge")
    inlines = (CallInline,)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, verification: Verification) -> str:
        return badge(verification.status, verification.get_status_display())


@admin.register(VerifiedPhone)
class VerifiedPhoneAdmin(HistoryAdmin):
    list_display = ("verified_at", "phone_masked", "user")
    search_fields = ("phone__startswith",)
    list_select_related = ("user",)
    fields = ("phone_masked", "user", "verified_at")
    readonly_fields = ("phone_masked",)
