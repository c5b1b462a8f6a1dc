"""CallStatus: one report about a call request, and how many reports are kept."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Exists, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.calls import CallRequest
from django_voicepassword.models.compiled import Insert, Select, Update
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.models.provider_text import ProviderText


class CallStatus(models.Model):
    """One report about one call request. Only ``repeats`` of a row changes later on.

    Whoever knows the address of a callback can send reports, so a call has at most ``MOST_KEPT`` of
    one source. An identical report is only counted.
    """

    class Source(models.TextChoices):
        SEND = "send", _("reply to sending")
        CALLBACK = "callback", _("callback")
        POLL = "poll", _("poll")
        DAILY = "daily", _("daily statistics")

    #: The most reports of one source that are kept of a call.
    MOST_KEPT = 20
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

    #: How many reports came that were identical to this one, after it.
    repeats = models.PositiveIntegerField(_("repeats"), default=0, db_default=0)

    #: Whether ``keep`` has added this report to the history.
    is_added = False

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
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

    @classmethod
    def has_all_callbacks(cls, call_id: Any) -> Exists:
        """Return the condition "as many callbacks of a call are kept as may be"."""
        kept = cls.objects.filter(call_id=call_id, source=cls.Source.CALLBACK)
        return Exists(kept[cls.MOST_KEPT - 1 : cls.MOST_KEPT])

    def insert(self) -> None:
        """Save this new report."""
        _INSERT(self)

    def keep(self, is_moving: bool) -> CallStatus:
        """Add this report to the history of its call, or count it where it is there already.

        Return the row that has it. Where the history is full, the report is not kept; but one that
        moves the call takes the place of the newest. Call it under a lock of the call's row.
        """
        kept = _KEPT(call=self.call_id, source=self.source)
        same = next((status for status in kept if status._report() == self._report()), None)
        if same is not None:
            _REPEAT(id=same.pk)
            same.repeats += 1
            return same
        if len(kept) < self.MOST_KEPT:
            self.insert()
            self.is_added = True
        elif is_moving:
            self.pk = kept[-1].pk
            self.save(force_update=True)
        return self

    def _report(self) -> tuple[Any, ...]:
        """What makes two reports identical: all that the provider wrote."""
        price = None if self.price is None else round(self.price, 4)
        return self.state, self.raw_state, self.occurred_at, self.duration, price, self.payload


def _kept(call: Any, source: Any) -> models.QuerySet[CallStatus]:
    return CallStatus.objects.filter(call=call, source=source).order_by("id")


def _repeat(id: Any) -> tuple[models.QuerySet[CallStatus], dict[str, Any]]:
    return CallStatus.objects.filter(id=id), {"repeats": F("repeats") + 1}


_INSERT = Insert(CallStatus)
_KEPT = Select(CallStatus, _kept, call="call", source="source")
_REPEAT = Update(CallStatus, _repeat, id="id")
