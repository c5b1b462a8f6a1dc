"""Reconciliation with the provider's daily statistics, the balance, and the figures of pages."""

from django_voicepassword.models.provider_days import day_bounds
from django_voicepassword.statistics.balance import (
    Forecast,
    account_is_refused,
    forecast,
    read_balance,
)
from django_voicepassword.statistics.figures import Figures
from django_voicepassword.statistics.refresh import fill_figures, refresh_figures, update_figures
from django_voicepassword.statistics.sync import DayReport, provider_today, sync_day

__all__ = [
    "DayReport",
    "Figures",
    "Forecast",
    "account_is_refused",
    "day_bounds",
    "fill_figures",
    "forecast",
    "provider_today",
    "read_balance",
    "refresh_figures",
    "sync_day",
    "update_figures",
]
