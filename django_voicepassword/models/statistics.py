"""The books: what the provider says of a day, and the balance it told."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class DailyStatistics(models.Model):
    """One day of the provider (PROVIDER_TIME_ZONE), as its daily statistics told it last."""

    date = models.DateField(_("date"))
    rows = models.PositiveIntegerField(_("rows"), default=0)
    total_price = models.DecimalField(_("total price"), max_digits=14, decimal_places=4, default=0)
    #: ``{"flashcall": {"no_answer": 12, …}, …}``: how many rows ended how.
    counts = models.JSONField(_("counts by channel and state"), default=dict, blank=True)
    matched = models.PositiveIntegerField(_("matched"), default=0)
    imported = models.PositiveIntegerField(_("imported"), default=0)
    mismatched = models.PositiveIntegerField(_("mismatched"), default=0)
    #: Calls of ours that the provider does not list.
    missing = models.PositiveIntegerField(_("missing"), default=0)
    #: How many rows the provider said there are; None where it did not say.
    told_rows = models.PositiveIntegerField(_("rows told"), null=True, blank=True)
    #: Rows that could not be read, and the first of them, masked.
    unreadable = models.PositiveIntegerField(_("unreadable"), default=0)
    unreadable_rows = models.JSONField(_("unreadable rows"), default=list, blank=True)
    synced_at = models.DateTimeField(_("synced"), default=timezone.now)

    class Meta:
        verbose_name = _("daily statistics")
        verbose_name_plural = _("daily statistics")
        ordering = ["-date"]
        constraints = [models.UniqueConstraint(fields=["date"], name="voicepassword_daily_date")]

    def __str__(self) -> str:
        return str(self.date)


class BalanceReading(models.Model):
    """What the account held at one moment."""

    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4)
    currency = models.CharField(_("currency"), max_length=16, blank=True)
    read_at = models.DateTimeField(_("read"), default=timezone.now)

    class Meta:
        verbose_name = _("balance reading")
        verbose_name_plural = _("balance readings")
        ordering = ["-read_at"]
        indexes = [models.Index(fields=["read_at"], name="voicepassword_balance_read")]

    def __str__(self) -> str:
        exact = self.balance.normalize()
        shown = f"{self.balance:.2f}" if exact == round(exact, 2) else f"{exact:f}"
        return f"{shown} {self.currency}".strip()
