"""The books: a day of the provider's statistics, the balance, and what the pages read of both."""

from django_voicepassword.statistics.balance import Forecast, alarm, forecast, read_balance
from django_voicepassword.statistics.days import DayReport, provider_today, sync_day

__all__ = ["DayReport", "Forecast", "alarm", "forecast", "provider_today", "read_balance", "sync_day"]
