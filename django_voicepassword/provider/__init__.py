"""The connection to the provider: its wire format, the HTTP client, and clients that only pretend.

Importing this package needs no Django. The modules ``factory``, ``console``, ``memory`` and
``dates`` need it, so they are not imported here.
"""

from django_voicepassword.provider.client import Client, ConfigurationError
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.interface import ProviderClient
from django_voicepassword.provider.protocol import Balance, Report, SendReply

__all__ = [
    "Balance",
    "Client",
    "ConfigurationError",
    "DailyReport",
    "ProviderClient",
    "Report",
    "SendReply",
]
