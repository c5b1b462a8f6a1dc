"""The call history in Django's admin. Nothing that happened can be added, changed or deleted by
hand.
"""

from django_voicepassword.admin import books, calls, dashboard, verifications

__all__ = ["books", "calls", "dashboard", "verifications"]
