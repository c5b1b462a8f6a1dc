"""A model without a table, so that the dashboard appears in the admin's index."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.statistics import DailyStatistics


class Dashboard(DailyStatistics):
    """A proxy that is registered with the admin only to appear in its index and menus.

    Other themes of the admin build their menus from the registered models too.
    """

    class Meta:
        proxy = True
        # Whoever may see the daily statistics may see the dashboard.
        default_permissions = ()
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")

    def __str__(self) -> str:
        return super().__str__()
