"""The call history in Django's admin. Nothing that happened can be added, changed or deleted by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone


class HistoryAdmin(admin.ModelAdmin):
    """Rows to read. The whole number is on no page."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CallStatusInline(admin.TabularInline):
    model = CallStatus
    fields = ("received_at", "source", "state", "raw_state", "occurred_at", "duration", "price")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(CallRequest)
class CallRequestAdmin(HistoryAdmin):
    list_display = ("created_at", "masked_phone", "channel", "state", "price", "duration", "error_code", "origin")
    list_filter = ("state", "channel", "origin")
    search_fields = ("phone__startswith", "provider_id__exact")
    list_select_related = False
    fields = (
        "masked_phone",
        "channel",
        "state",
        "error_code",
        "service",
        "provider_id",
        "price",
        "duration",
        "origin",
        "created_at",
        "placed_at",
        "finished_at",
        "occurred_at",
    )
    inlines = (CallStatusInline,)


@admin.register(Verification)
class VerificationAdmin(HistoryAdmin):
    list_display = ("created_at", "masked_phone", "purpose", "status", "attempts", "sends", "user", "ip")
    list_filter = ("status",)
    search_fields = ("phone__startswith",)
    list_select_related = ("user",)
    fields = (
        "masked_phone",
        "purpose",
        "status",
        "attempts",
        "sends",
        "user",
        "ip",
        "created_at",
        "expires_at",
        "approved_at",
    )


@admin.register(VerifiedPhone)
class VerifiedPhoneAdmin(HistoryAdmin):
    list_display = ("verified_at", "masked_phone", "user")
    search_fields = ("phone__startswith",)
    list_select_related = ("user",)
    fields = ("masked_phone", "user", "verified_at")
