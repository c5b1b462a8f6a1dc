"""A client for TRANSPORT that refuses every call."""

from __future__ import annotations

from typing import Any

from django_voicepassword.exceptions import NumberRefused
from django_voicepassword.testing import MemoryClient


class RefusingClient(MemoryClient):
    """Refuses as the provider does for a number in its spam list."""

    def _send(self, *args: Any) -> Any:
        raise NumberRefused("number_in_spam_list")
