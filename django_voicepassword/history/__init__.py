"""The call history: search, filters, export, and the retention of old rows."""

from django_voicepassword.history.erasure import erase as erase_person
from django_voicepassword.history.erasure import forget_devices
from django_voicepassword.history.filters import (
    FILTERS,
    InvalidFilter,
    after_cursor,
    apply_filters,
    order,
    to_number,
)
from django_voicepassword.history.person import Person
from django_voicepassword.history.person_export import export as export_person
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.retention import purge
from django_voicepassword.history.search import (
    refusals_beside,
    search_calls,
    search_phones,
    search_refusals,
    search_verifications,
)
from django_voicepassword.history.traces import hide_log_entries

__all__ = [
    "FILTERS",
    "InvalidFilter",
    "Person",
    "Reader",
    "after_cursor",
    "apply_filters",
    "erase_person",
    "export_person",
    "forget_devices",
    "hide_log_entries",
    "order",
    "purge",
    "refusals_beside",
    "search_calls",
    "search_phones",
    "search_refusals",
    "search_verifications",
    "to_number",
]
