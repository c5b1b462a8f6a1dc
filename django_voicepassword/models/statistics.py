"""The provider's figures: the daily statistics and the readings of the balance."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models import money
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.models.provider_text import ProviderText


class DailyStatistics(models.Model):
    """One day in PROVIDER_TIME_ZONE, as the last sync of the daily statistics found it."""

    date = models.DateField(_("date"))
    rows = models.PositiveIntegerField(_("rows"), default=0)
    total_price = models.DecimalField(_("total price"), max_digits=14, decimal_places=4, default=0)
    #: ``{"flashcall": {"no_answer": 12, …}, …}``: the number of rows by channel and state.
    counts = models.JSONField(_("counts by channel and state"), default=dict, blank=True)
    matched = models.PositiveIntegerField(_("matched"), default=0)
    imported = models.PositiveIntegerField(_("imported"), default=0)
    mismatched = models.PositiveIntegerField(_("mismatched"), default=0)
    #: Calls of this site that the provider does not list.
    missing = models.PositiveIntegerField(_("missing"), default=0)
    #: The number of rows that the provider announced; None where it announced none.
    told_rows = models.PositiveIntegerField(_("rows told"), null=True, blank=True)
    #: The number of rows that could not be read; ``unreadable_rows`` has the first ones, masked.
    unreadable = models.PositiveIntegerField(_("unreadable"), default=0)
    unreadable_rows = models.JSONField(_("unreadable rows"), default=list, blank=True)
    synced_at = models.DateTimeField(_("synced"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("day of the statistics")
        verbose_name_plural = _("daily statistics")
        ordering = ["-date"]
        constraints = [models.UniqueConstraint(fields=["date"], name="voicepassword_daily_date")]

    def __str__(self) -> str:
        return str(self.date)


class BalanceReading(models.Model):
    """The balance of the account at one moment."""

    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4)
    currency = ProviderText(_("currency"), max_length=16, blank=True)
    read_at = models.DateTimeField(_("read"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("balance reading")
        verbose_name_plural = _("balance readings")
        ordering = ["-read_at"]
        indexes = [models.Index(fields=["read_at"], name="voicepassword_balance_read")]

    def __str__(self) -> str:
        return f"{money.plain(self.balance)} {self.currency}".strip()
