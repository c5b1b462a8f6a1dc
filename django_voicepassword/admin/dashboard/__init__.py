"""The dashboard: figures of all calls, the money, and the comparison with the provider."""

from django_voicepassword.admin.dashboard.page import DashboardAdmin

__all__ = ["DashboardAdmin"]
