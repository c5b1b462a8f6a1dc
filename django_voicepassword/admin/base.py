"""What the pages of the admin share: badges, money, rows that are only read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword import phones
from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.security import audit
from django_voicepassword.security.sensitive import sensitive

#: State or status -> the colour that it is shown in, beside its word: good, bad, wait or plain.
TONES = {
    "answered": "good",
    "no_answer": "good",
    "busy": "good",
    "canceled": "good",
    "delivered": "good",
    "approved": "good",
    "refused": "bad",
    "unknown": "bad",
    "failed": "bad",
    "not_delivered": "bad",
    "max_attempts": "bad",
    "queued": "wait",
    "placing": "wait",
    "placed": "wait",
    "dialing": "wait",
    "sms_queued": "wait",
    "sms_sent": "wait",
    "pending": "wait",
}


def badge(value: str, words: str) -> str:
    """A state in its word and colour."""
    return format_html(
        '<span class="vp-badge vp-badge-{}">{}</span>', TONES.get(value, "plain"), words
    )


def rubles(price: Decimal | None) -> str:
    """An amount without the zeros that the column has beyond two places."""
    if price is None:
        return ""
    return str(localize(price.quantize(Decimal("0.01")) if price == round(price, 2) else price))


class HistoryAdmin(admin.ModelAdmin):
    """Rows to read."""

    show_full_result_count = False
    list_per_page = 50

    class Media:
        css = {"all": ["voicepassword/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PhoneAdmin(HistoryAdmin):
    """Rows with a phone: ``phone_masked``, in whose place who may see it finds the whole number,
    and that is noted.

    A link leads only to what may be seen.
    """

    def shows_whole_phones(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_voicepassword.view_full_phone")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._meant(super().get_list_display(request), request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self._meant(super().get_readonly_fields(request, obj), request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (name, {**options, "fields": self._meant(options["fields"], request)})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._meant(super().get_fields(request, obj), request)

    @method_decorator(sensitive)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown and self.shows_whole_phones(request):
            audit.whole_numbers_seen(
                request.user, f"list of {self.opts.model_name}", len(shown["cl"].result_list)
            )
        return response

    @method_decorator(sensitive)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        if response.status_code == 200 and self.shows_whole_phones(request):
            # Of a verification the head of its id: the whole is a bearer secret.
            audit.whole_numbers_seen(request.user, f"{self.opts.model_name} {object_id[:8]}", 1)
        return response

    def may_see(self, model: type[Model], request: HttpRequest) -> bool:
        site = self.admin_site
        return site.is_registered(model) and site.get_model_admin(model).has_view_permission(
            request
        )

    def substitute_columns(self, request: HttpRequest) -> dict[str, str]:
        """Column -> the one in its place, for who may see more or less."""
        columns = {}
        if self.shows_whole_phones(request):
            columns["phone_masked"] = "phone_whole"
        if not self.may_see(get_user_model(), request):
            columns["user_link"] = "user_name"
        return columns

    def user_of(self, row: Any) -> Any:
        return row.user

    def _meant(self, names: Any, request: HttpRequest) -> list[Any]:
        instead = self.substitute_columns(request)
        return [instead.get(name, name) for name in names]

    @admin.display(description=gettext_lazy("phone"))
    def phone_masked(self, row: Any) -> str:
        return format_html('<span class="vp-phone">{}</span>', row.masked_phone)

    @admin.display(description=gettext_lazy("phone"))
    def phone_whole(self, row: Any) -> str:
        return format_html(
            '<a class="vp-phone" href="tel:+{}">{}</a>', row.phone, phones.national(row.phone)
        )

    @admin.display(description=gettext_lazy("user"))
    def user_name(self, row: Any) -> str:
        return str(self.user_of(row) or "–")

    @admin.display(description=gettext_lazy("user"))
    def user_link(self, row: Any) -> str:
        user = self.user_of(row)
        if user is None:
            return "–"
        address = reverse(
            f"admin:{user._meta.app_label}_{user._meta.model_name}_change", args=[user.pk]
        )
        return format_html('<a href="{}">{}</a>', address, user)


class StatusBadges:
    """What rows of calls and of their reports share."""

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, row: CallRequest | CallStatus) -> str:
        return badge(row.state, row.get_state_display())

    @admin.display(description=gettext_lazy("price"))
    def price_short(self, row: CallRequest | CallStatus) -> str:
        return rubles(row.price)

    @admin.display(description=gettext_lazy("duration"))
    def duration_seconds(self, row: CallRequest | CallStatus) -> str:
        return "" if row.duration is None else ngettext("%d s", "%d s", row.duration) % row.duration
