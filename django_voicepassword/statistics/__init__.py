"""The books: a day of the provider's statistics, the balance, and what the pages read of both."""

from django_voicepassword.statistics.days import DayReport, sync_day

__all__ = ["DayReport", "sync_day"]
