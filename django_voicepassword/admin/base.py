"""What the pages of the admin share: badges, money, rows that are only read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword.models import CallRequest, CallStatus

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
    return format_html('<span class="vp-badge vp-badge-{}">{}</span>', TONES.get(value, "plain"), words)


def rubles(price: Decimal | None) -> str:
    """An amount without the zeros that the column has beyond two places."""
    if price is None:
        return ""
    return str(localize(price.quantize(Decimal("0.01")) if price == round(price, 2) else price))


class HistoryAdmin(admin.ModelAdmin):
    """Rows to read. The whole number is on no page."""

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

    @admin.display(description=gettext_lazy("phone"), ordering="phone")
    def phone_masked(self, row: Any) -> str:
        return format_html('<span class="vp-phone">{}</span>', row.masked_phone)


class StatusBadges:
    """What rows of calls and of their reports share."""

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_badge(self, row: CallRequest | CallStatus) -> str:
        return badge(row.state, row.get_state_display())

    @admin.display(description=gettext_lazy("price"), ordering="price")
    def price_short(self, row: CallRequest | CallStatus) -> str:
        return rubles(row.price)

    @admin.display(description=gettext_lazy("duration"), ordering="duration")
    def duration_seconds(self, row: CallRequest | CallStatus) -> str:
        return "" if row.duration is None else ngettext("%d s", "%d s", row.duration) % row.duration
