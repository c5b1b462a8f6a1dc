"""What the pages show of many calls, counted before: one row a day, hour or prefix and channel,
computed anew as a whole.

The days and hours are the provider's (PROVIDER_TIME_ZONE), like those of DailyStatistics.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class FiguresRow(models.Model):
    """Calls are counted where they began, approvals where their verification began. Test numbers
    are left out.
    """

    date = models.DateField(_("date"))
    #: Empty: all channels together. Not their sum: a verification that used two channels was
    #: started once.
    channel = models.CharField(_("channel"), max_length=9, blank=True, default="")
    #: Requests that may have rung; each is one of the next five.
    calls = models.PositiveIntegerField(_("calls"), default=0)
    #: Answered calls and delivered SMS.
    answered = models.PositiveIntegerField(_("answered"), default=0)
    #: No answer, busy, canceled: how a flash call usually ends.
    unanswered = models.PositiveIntegerField(_("not answered"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    unknown = models.PositiveIntegerField(_("unknown"), default=0)
    waiting = models.PositiveIntegerField(_("no final state yet"), default=0)
    #: Requests that the provider refused or that never left: nothing rang.
    refused = models.PositiveIntegerField(_("refused"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=14, decimal_places=4, default=0)
    #: Verifications; of one channel: those that used it.
    started = models.PositiveIntegerField(_("verifications started"), default=0)
    #: Of these, the approved ones; of one channel: those whose last call before the code was of it.
    approved = models.PositiveIntegerField(_("verifications approved"), default=0)
    #: ``{"7": 12, …}``: how many approvals took so many seconds from that call to the code. See
    #: ``statistics.figures``.
    seconds = models.JSONField(_("seconds to the code"), default=dict, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.date} {self.channel}".strip()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class DayFigures(FiguresRow):
    #: When its calls were counted: of two that count at once the later one stays.
    counted_at = models.DateTimeField(_("counted"), default=timezone.now)

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
