"""The provider's daily statistics and the balance readings."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.base import HistoryAdmin
from django_voicepassword.admin.columns import short_moment
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics, money


@admin.register(DailyStatistics)
class DailyStatisticsAdmin(HistoryAdmin):
    list_display = (
        "date",
        "rows",
        "total",
        "matched",
        "imported",
        "mismatched",
        "missing",
        "unreadable",
        "synced_short",
    )
    fields = (
        "date",
        "rows",
        "told_rows",
        "total",
        "by_channel",
        "matched",
        "imported",
        "mismatched",
        "missing",
        "unreadable",
        "unreadable_rows",
        "synced_at",
    )
    readonly_fields = ("total", "by_channel")

    @admin.display(description=gettext_lazy("total price"), ordering="total_price")
    def total(self, day: DailyStatistics) -> str:
        return money.exact(day.total_price)

    @admin.display(description=gettext_lazy("synced"), ordering="synced_at")
    def synced_short(self, day: DailyStatistics) -> str:
        return short_moment(day.synced_at)

    @admin.display(description=gettext_lazy("counts by channel and state"))
    def by_channel(self, day: DailyStatistics) -> str:
        channels, states = dict(CallRequest.Channel.choices), dict(CallRequest.State.choices)
        lines = [
            (
                channels.get(channel, channel),
                ", ".join(f"{states.get(state, state)}: {rows}" for state, rows in counts.items()),
            )
            for channel, counts in sorted(day.counts.items())
        ]
        return format_html_join("", "<div><strong>{}</strong> {}</div>", lines) or "–"


@admin.register(BalanceReading)
class BalanceReadingAdmin(HistoryAdmin):
    list_display = ("read_at", "amount")
    fields = ("read_at", "amount")
    readonly_fields = ("amount",)

    @admin.display(description=gettext_lazy("balance"), ordering="balance")
    def amount(self, reading: BalanceReading) -> str:
        return money.exact(reading.balance, reading.currency)
