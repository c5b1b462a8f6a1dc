"""The line to the provider: its wire format, the client, and the transports that stand in for it.

This face needs no Django. The modules ``factory``, ``console``, ``memory`` and ``dates`` do: import
them by name.
"""

from django_voicepassword.provider.client import Client, ConfigurationError
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.protocol import Balance, Report, SendReply

__all__ = ["Balance", "Client", "ConfigurationError", "DailyReport", "Report", "SendReply"]
