"""The channels and states of a call request, and how far each state is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Channel(models.TextChoices):
    FLASHCALL = "flashcall", _("flash call")
    VOICE = "voice", _("voice call")
    SMS = "sms", _("SMS")


class State(models.TextChoices):
    QUEUED = "queued", _("queued")
    PLACING = "placing", _("placing")
    PLACED = "placed", _("placed")
    REFUSED = "refused", _("refused")
    UNKNOWN = "unknown", _("unknown")
    DIALING = "dialing", _("dialing")
    ANSWERED = "answered", _("answered")
    NO_ANSWER = "no_answer", _("no answer")
    BUSY = "busy", _("busy")
    CANCELED = "canceled", _("canceled")
    FAILED = "failed", _("failed")
    SMS_QUEUED = "sms_queued", _("SMS queued")
    SMS_SENT = "sms_sent", _("SMS sent")
    DELIVERED = "delivered", _("delivered")
    NOT_DELIVERED = "not_delivered", _("not delivered")


class Origin(models.TextChoices):
    APP = "app", _("this site")
    IMPORTED = "imported", pgettext_lazy("origin", "imported")


class Lane(models.TextChoices):
    """Who asked for the send: somebody who has proved the number before, or anybody else."""

    PROVEN = "proven", _("proven")
    UNPROVEN = "unproven", _("unproven")


class Difference(models.IntegerChoices):
    STATE = 1, _("state")
    PRICE = 2, _("price")
    DURATION = 4, _("duration")


#: States after which the provider reports nothing more.
FINAL_STATES = frozenset(
    {
        State.REFUSED,
        State.ANSWERED,
        State.NO_ANSWER,
        State.BUSY,
        State.CANCELED,
        State.FAILED,
        State.DELIVERED,
        State.NOT_DELIVERED,
    }
)
#: The number that every final state has in PROGRESS.
FINAL_PROGRESS = 9
#: State -> how far the call has come. A report moves a call only to a state with a greater
#: number.
PROGRESS: dict[str, int] = {
    State.QUEUED: 0,
    State.PLACING: 1,
    State.UNKNOWN: 2,
    State.PLACED: 2,
    State.SMS_QUEUED: 3,
    State.DIALING: 4,
    State.SMS_SENT: 4,
    **dict.fromkeys(FINAL_STATES, FINAL_PROGRESS),
}
#: States in which certainly nothing rang and nothing was paid.
UNSENT_STATES = frozenset({State.QUEUED, State.REFUSED})
