"""The queue: calls that no worker has placed yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.upkeep import words
from django_voicepassword.upkeep.needs import Kind, Need

#: Seconds after which somebody must look why a call is not placed. A person has given up by then.
WAITS_TOO_LONG = 40
#: So many calls are counted at most.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Waiting:
    """How many calls wait (MOST_COUNTED at most), and for how many seconds the oldest does."""

    calls: int
    seconds: int

    @property
    def is_too_long(self) -> bool:
        return self.seconds > WAITS_TOO_LONG


def waiting(now: datetime | None = None) -> Waiting | None:
    """Return the calls that wait for a worker; None where none does. It takes one SELECT."""
    queued = CallRequest.objects.filter(state=CallRequest.State.QUEUED).order_by("created_at")
    created = list(queued.values_list("created_at", flat=True)[:MOST_COUNTED])
    if not created:
        return None
    age = as_aware(now or timezone.now()) - as_aware(created[0])
    # A clock that stepped back: the call lies in the future.
    return Waiting(len(created), max(int(age.total_seconds()), 0))


def queue_need(found: Waiting | None) -> Need | None:
    """Return the need to look after the workers, by the result of ``waiting``."""
    if found is None or not found.is_too_long:
        return None
    text = ngettext(
        "%(count)d call is not placed yet; it has waited for %(age)s.",
        "%(count)d calls are not placed yet; the oldest has waited for %(age)s.",
        found.calls,
    )
    values = {"count": found.calls, "age": words.duration(found.seconds)}
    return Need(Kind.QUEUE, text % values, _advice(), is_grave=True)


def _advice() -> str:
    if settings.dispatch == "celery":
        return _(
            "Start a worker for the queue of the task place_call. If one is running, its log says "
            "why: perhaps VoicePassword cannot be reached from there."
        )
    return _("Run “manage.py voicepassword_poll”: it places them, or says why not.")
