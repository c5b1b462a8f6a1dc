"""LimitCounter: what is used of one limit. The rules are in ``django_voicepassword.limits``."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.primary import PrimaryManager


class LimitCounter(models.Model):
    """The counter of one limit for one subject.

    Keys are, for example, ``phone:79991234567``, ``ip:192.0.2.1``, ``site:``,
    ``budget:2026-01-31``.
    """

    key = models.CharField(_("key"), max_length=80, primary_key=True)
    #: Rate -> list of [milliseconds since 1970, number of events], as JSON. Each use drops the
    #: entries that are older than the rate's period.
    events = models.TextField(_("events"), default="{}")
    #: Money, for the keys of budgets and prices.
    amount = models.DecimalField(_("amount"), max_digits=14, decimal_places=4, default=0)
    updated_at = models.DateTimeField(_("updated"))

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("limit counter")
        verbose_name_plural = _("limit counters")
        permissions = [("unblock_phone", _("Can unblock a phone number"))]

    def __str__(self) -> str:
        # The rest of the key may be a whole phone number.
        return self.key.partition(":")[0]

    def __repr__(self) -> str:
        return f"<LimitCounter {self}>"
