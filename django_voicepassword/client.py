"""The provider's client, for programs of any kind: it needs no Django.

    from django_voicepassword.client import Client

    client = Client(api_key)
    reply = client.flash_call("79999999999", code="1234")

Every error is a ``django_voicepassword.exceptions.ProviderError``, or an ``InvalidRequest`` that is
raised before anything is sent. The client never sends a request twice.
"""

from django_voicepassword.provider.client import (
    DEFAULT_TIMEOUT,
    DEFAULT_URL,
    MAX_ANSWER_BYTES,
    Client,
    ConfigurationError,
)
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.interface import ProviderClient
from django_voicepassword.provider.protocol import Balance, InvalidRequest, Report, SendReply

__all__ = [
    "DEFAULT_TIMEOUT",
    "DEFAULT_URL",
    "MAX_ANSWER_BYTES",
    "Balance",
    "Client",
    "ConfigurationError",
    "DailyReport",
    "InvalidRequest",
    "ProviderClient",
    "Report",
    "SendReply",
]
