"""The dashboard's place among the pages of the admin."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.statistics import DailyStatistics


class Dashboard(DailyStatistics):
    """No rows of its own: what is registered with the admin stands in its index and menus, also in
    those of other themes.
    """

    class Meta:
        proxy = True
        # Who may see the daily statistics may see it.
        default_permissions = ()
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")

    def __str__(self) -> str:
        return super().__str__()
