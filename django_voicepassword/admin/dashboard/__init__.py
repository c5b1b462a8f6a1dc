"""The dashboard: what the owner of the account sees of all calls, the money and the books on one
page.
"""

from django_voicepassword.admin.dashboard.page import DashboardAdmin

__all__ = ["DashboardAdmin"]
