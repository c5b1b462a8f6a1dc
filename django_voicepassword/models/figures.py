"""Counts of calls by day, hour or prefix, stored so that pages need not count.

Only the hours of a day in which something changed are counted again, and the day is the sum of its
hours. Days and hours are in PROVIDER_TIME_ZONE, like those of DailyStatistics.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.primary import PrimaryManager


class FiguresRow(models.Model):
    """The counts of one channel in one stretch of time. Test numbers are left out.

    A call counts at the time when it was created, an approval at the time when its verification
    was.
    """

    date = models.DateField(_("date"))
    #: Empty: all channels together. That is not the sum of the channels: a verification that used
    #: two of them was started once.
    channel = models.CharField(_("channel"), max_length=9, blank=True, default="")
    #: Requests that may have rung. Each is counted in one of the next five fields too.
    calls = models.PositiveIntegerField(_("calls"), default=0)
    #: Answered calls and delivered SMS.
    answered = models.PositiveIntegerField(_("answered"), default=0)
    #: No answer, busy or canceled, as a flash call usually ends.
    unanswered = models.PositiveIntegerField(_("not answered"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    unknown = models.PositiveIntegerField(_("unknown"), default=0)
    waiting = models.PositiveIntegerField(_("no final state yet"), default=0)
    #: Requests that the provider refused, or that were never sent: nothing rang.
    refused = models.PositiveIntegerField(_("refused"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=4, default=0)
    #: Verifications; for a channel: those that used it.
    started = models.PositiveIntegerField(_("verifications started"), default=0)
    #: The approved ones of these; for a channel: those whose last call before the code used it.
    approved = models.PositiveIntegerField(_("verifications approved"), default=0)
    #: Histogram ``{"7": 12, …}``: twelve approvals came seven seconds after that call. See
    #: ``statistics.figures`` for the buckets.
    seconds = models.JSONField(_("seconds to the code"), default=dict, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.date} {self.channel}".strip()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class DayFigures(FiguresRow):
    #: When the count began: of two processes that count at once, the later count stays.
    counted_at = models.DateTimeField(_("counted"), default=timezone.now)
    #: Of all channels together: what the next count has to know of this one
    #: (``statistics.progress``).
    progress = models.JSONField(default=dict, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:
        verbose_name = _("figures of a day")
        verbose_name_plural = _("figures by day")
        constraints = [
            models.UniqueConstraint(fields=["channel", "date"], name="voicepassword_figures_day")
        ]

    def __str__(self) -> str:
        return super().__str__()


class HourFigures(FiguresRow):
    hour = models.PositiveSmallIntegerField(_("hour"))
    #: Monday is 0.
    weekday = models.PositiveSmallIntegerField(_("weekday"))
    #: Prefix -> its part of the figures, those that are zero left out.
    prefixes = models.JSONField(default=dict, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:
        verbose_name = _("figures of an hour")
        verbose_name_plural = _("figures by hour")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "date", "hour"], name="voicepassword_figures_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{super().__str__()} {self.hour}:00"


class PrefixFigures(FiguresRow):
    #: The operator's block: country code and area code, ``7999``.
    prefix = models.CharField(_("prefix"), max_length=5)

    objects = PrimaryManager()

    class Meta:
        verbose_name = _("figures of a prefix")
        verbose_name_plural = _("figures by prefix")
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "date", "prefix"], name="voicepassword_figures_prefix"
            )
        ]

    def __str__(self) -> str:
        return f"{super().__str__()} {self.prefix}"
