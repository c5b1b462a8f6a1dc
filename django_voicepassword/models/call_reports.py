"""CallStatus: one report about a call request. Rows are only ever added."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.calls import CallRequest
from django_voicepassword.models.provider_text import ProviderText


class CallStatus(models.Model):
    """One report about one call request. Rows are added and never changed."""

    class Source(models.TextChoices):
        SEND = "send", _("reply to sending")
        CALLBACK = "callback", _("callback")
        POLL = "poll", _("poll")
        DAILY = "daily", _("daily statistics")

    #: The state of a report whose word is not in the vocabulary. It does not move the call; the
    #: word is kept in ``raw_state``.
    OTHER = "other"

    call = models.ForeignKey(
        CallRequest,
        verbose_name=_("call request"),
        on_delete=models.CASCADE,
        related_name="statuses",
    )
    state = models.CharField(
        _("state"), max_length=13, choices=[*CallRequest.State.choices, (OTHER, _("other"))]
    )
    raw_state = ProviderText(_("provider's word"), max_length=64, blank=True, default="")
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    occurred_at = models.DateTimeField(_("provider's date"), null=True, blank=True)
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    duration = models.PositiveIntegerField(_("duration, seconds"), null=True, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=4, null=True, blank=True)
    #: The provider's report, with code and phone masked.
    payload = models.JSONField(_("payload"), default=dict, blank=True)

    class Meta:
        verbose_name = _("call status")
        verbose_name_plural = _("call statuses")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(source__in=["send", "callback", "poll", "daily"]),
                name="voicepassword_status_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.get_state_display()}"

    def __repr__(self) -> str:
        return f"<CallStatus {self.pk} {self.source} {self.state}>"
