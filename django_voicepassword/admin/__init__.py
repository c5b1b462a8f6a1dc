"""The call history in Django's admin.

All pages are read-only: nobody can add, change or delete history by hand.
"""

from django_voicepassword.admin import (
    calls,
    dashboard,
    permission_names,
    person,
    protection,
    refusals,
    statistics,
    trips,
    verifications,
)

__all__ = [
    "calls",
    "dashboard",
    "permission_names",
    "person",
    "protection",
    "refusals",
    "statistics",
    "trips",
    "verifications",
]
