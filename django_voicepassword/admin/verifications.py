"""Verifications and verified phones."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy

from django_voicepassword import history
from django_voicepassword.admin.badges import verification_badge
from django_voicepassword.admin.base import PhoneAdmin
from django_voicepassword.admin.columns import (
    CreatedColumn,
    StatusBadges,
    counts,
    short_moment,
    two_lines,
)
from django_voicepassword.admin.person_actions import PersonActions
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone


class CallInline(StatusBadges, admin.TabularInline):
    """The calls and SMS of a verification, oldest first."""

    model = CallRequest
    fields = (
        "created_short",
        "channel",
        "state_badge",
        "error_code",
        "price_short",
        "duration_seconds",
    )
    readonly_fields = fields
    ordering = ("id",)
    can_delete = False
    extra = 0
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Verification)
class VerificationAdmin(CreatedColumn, PhoneAdmin):
    list_display = (
        "created_short",
        "phone_masked",
        "status_and_counts",
        "user_link",
        "ip",
    )
    sortable_by = ("created_short",)
    list_filter = ("status",)
    search_fields = ("phone",)
    search = staticmethod(history.search_verifications)
    search_help_text = gettext_lazy("The last digits of a number, a whole number, or a user's name")
    list_select_related = ("user",)
    fields = (
        "phone_masked",
        "purpose",
        "status_badge",
        "attempts",
        "sends",
        "user_link",
        "ip",
        "created_at",
        "expires_at",
        "approved_at",
        "closed_at",
    )
    readonly_fields = ("phone_masked", "status_badge", "user_link", "consent_text")
    inlines = (CallInline,)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Show the consent text where there is one."""
        fields = super().get_fields(request, obj)
        has_text = isinstance(obj, Verification) and obj.consent_id is not None
        return [*fields, "consent_text"] if has_text else fields

    @admin.display(description=gettext_lazy("consent text"))
    def consent_text(self, verification: Verification) -> str:
        return strip_tags(str(verification.consent))

    @admin.display(description=gettext_lazy("status"))
    def status_and_counts(self, verification: Verification) -> str:
        return two_lines(verification_badge(verification), counts(verification))

    @admin.display(description=gettext_lazy("status"))
    def status_badge(self, verification: Verification) -> str:
        return verification_badge(verification)


@admin.register(VerifiedPhone)
class VerifiedPhoneAdmin(PersonActions, PhoneAdmin):
    list_display = ("verified_short", "phone_masked", "user_link")
    sortable_by = ("verified_short",)
    search_fields = ("phone",)
    search = staticmethod(history.search_phones)
    search_help_text = gettext_lazy("The last digits of a number, a whole number, or a user's name")
    list_select_related = ("user",)
    moment = "verified_at"
    fields = ("phone_masked", "user_link", "verified_at")
    readonly_fields = ("phone_masked", "user_link")

    @admin.display(description=gettext_lazy("verified"), ordering="verified_at")
    def verified_short(self, row: VerifiedPhone) -> str:
        return short_moment(row.verified_at)
