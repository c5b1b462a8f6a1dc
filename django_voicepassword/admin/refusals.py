"""Refused attempts: their list, and the panel of them above a search in the call history."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from django_voicepassword import history, phones
from django_voicepassword.admin import refusal_texts
from django_voicepassword.admin.base import PhoneAdmin
from django_voicepassword.admin.columns import short_moment, two_lines
from django_voicepassword.history import Reader
from django_voicepassword.limits import client_ip
from django_voicepassword.models import RefusedAttempt
from django_voicepassword.security import audit

#: The limits that count sends by the client's address.
_OF_ADDRESS = ("ip",)
#: How many refused attempts a search in the call history shows, the newest.
SHOWN = 20


@dataclass(frozen=True)
class Refusal:
    """A row of the panel. ``blocked_address`` is the address that support can unblock, or ""."""

    phone: str = field(repr=False)
    address: str
    reason: str
    advice: str
    count: int
    last_at: datetime
    blocked_address: str

    @property
    def is_searchable(self) -> bool:
        """Whether a search for the address finds what else was refused to it."""
        return self.address not in ("", client_ip.UNKNOWN)


def refusals_of(query: str, request: HttpRequest) -> list[Refusal]:
    """Return the newest refused attempts that belong to a search in the call history.

    Call it after the search, which counts it. Whole numbers are recorded as seen.
    """
    reader = Reader(request.user, "list of callrequest")
    attempts = history.refusals_beside(query, reader)[:SHOWN]
    shown = [_refusal(attempt, reader.sees_whole_numbers) for attempt in attempts]
    if shown and reader.sees_whole_numbers:
        audit.whole_numbers_seen(request.user, "refused attempts", len(shown))
    return shown


def _refusal(attempt: RefusedAttempt, is_whole: bool) -> Refusal:
    return Refusal(
        phones.national(attempt.phone) if is_whole else attempt.masked_phone,
        attempt.address,
        refusal_texts.name(attempt.reason),
        refusal_texts.advice(attempt.reason),
        attempt.count,
        attempt.last_at,
        attempt.address if attempt.reason in _OF_ADDRESS else "",
    )


class ReasonFilter(admin.SimpleListFilter):
    title, parameter_name = gettext_lazy("reason"), "reason"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(reason, refusal_texts.name(reason)) for reason in refusal_texts.REASONS]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[RefusedAttempt]
    ) -> QuerySet[RefusedAttempt]:
        reason = self.value()
        return queryset.filter(reason=reason) if reason else queryset


@admin.register(RefusedAttempt)
class RefusedAttemptAdmin(PhoneAdmin):
    list_display = ("last_short", "phone_masked", "reason_words", "address_link", "count")
    sortable_by = ("last_short",)
    list_filter = (ReasonFilter,)
    search_fields = ("phone",)
    search = staticmethod(history.search_refusals)
    search_help_text = gettext_lazy("The last digits of a number, a whole number, or an address")
    moment = "last_at"
    fields = (
        "phone_masked",
        "address",
        "reason_words",
        "advice",
        "count",
        "first_at",
        "last_at",
    )
    readonly_fields = ("phone_masked", "reason_words", "advice")

    @admin.display(description=gettext_lazy("last"), ordering="last_at")
    def last_short(self, row: RefusedAttempt) -> str:
        return short_moment(row.last_at)

    @admin.display(description=gettext_lazy("reason"))
    def reason_words(self, row: RefusedAttempt) -> str:
        name = refusal_texts.name(row.reason)
        return two_lines(name, row.reason if name != row.reason else "")

    @admin.display(description=gettext_lazy("what can be done"))
    def advice(self, row: RefusedAttempt) -> str:
        return refusal_texts.advice(row.reason)

    @admin.display(description=gettext_lazy("client address"))
    def address_link(self, row: RefusedAttempt) -> str:
        """Show the address with a link to all that was refused to it."""
        if row.address in ("", client_ip.UNKNOWN):
            return row.address or "–"
        return format_html('<a href="?{}">{}</a>', urlencode({"q": row.address}), row.address)
