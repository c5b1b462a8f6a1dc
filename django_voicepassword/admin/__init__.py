"""The call history in Django's admin. Nothing that happened can be added, changed or deleted by
hand.
"""

from django_voicepassword.admin import calls, dashboard, statistics, verifications

__all__ = ["calls", "dashboard", "statistics", "verifications"]
