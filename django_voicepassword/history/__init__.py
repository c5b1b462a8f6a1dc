"""The call history: search, filters, export, and the retention of old rows."""

from django_voicepassword.history.filters import (
    FILTERS,
    InvalidFilter,
    after_cursor,
    apply_filters,
    order,
    to_number,
)
from django_voicepassword.history.reader import Reader
from django_voicepassword.history.retention import purge
from django_voicepassword.history.search import (
    refusals_beside,
    search_calls,
    search_phones,
    search_refusals,
    search_verifications,
)

__all__ = [
    "FILTERS",
    "InvalidFilter",
    "Reader",
    "after_cursor",
    "apply_filters",
    "order",
    "purge",
    "refusals_beside",
    "search_calls",
    "search_phones",
    "search_refusals",
    "search_verifications",
    "to_number",
]
