"""Beat's heartbeat: when its most frequent task, ``poll_calls``, last began to run.

It shows that beat is running, and a worker that takes its tasks.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from celery import current_app
from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword.conf import settings
from django_voicepassword.limits.counters import database, upsert
from django_voicepassword.models import LimitCounter
from django_voicepassword.models.moments import as_aware
from django_voicepassword.provider import factory
from django_voicepassword.transactions import retry
from django_voicepassword.upkeep import words
from django_voicepassword.upkeep.needs import Kind, Need

#: The counter whose ``updated_at`` is the heartbeat.
KEY = "beat:poll_calls"
#: Seconds of silence after which somebody must look. ``poll_calls`` runs every 15 seconds.
SILENT_AFTER = 120


def note_beat(now: datetime | None = None) -> None:
    """Write that ``poll_calls`` begins to run, in one row that nothing else writes."""
    row = (KEY, "{}", Decimal(0))
    retry(lambda: upsert([row], now or timezone.now(), update=("updated_at",)), database())


def last_beat() -> datetime | None:
    """Return when ``poll_calls`` last began to run (aware); None: never, as far as is known."""
    found = LimitCounter.objects.filter(key=KEY).values_list("updated_at", flat=True).first()
    return None if found is None else as_aware(found)


def beat_need(last: datetime | None, now: datetime | None = None) -> Need | None:
    """Return the need to look after beat, by the result of ``last_beat``.

    None where it is not needed: a site that places its calls without workers may run the commands
    by cron instead.
    """
    if not _needs_beat():
        return None
    if last is None:
        text = _("The periodic tasks have never run.")
    elif (as_aware(now or timezone.now()) - last).total_seconds() > SILENT_AFTER:
        text = _("Since %(moment)s the periodic tasks have not run.") % {
            "moment": words.moment(last)
        }
    else:
        return None
    advice = _(
        "Start beat, and a worker for its queue. Without them nobody reads the balance and the "
        "states of calls, and calls that were lost on the way to a worker stay lost."
    )
    return Need(Kind.BEAT, text, advice)


def _needs_beat() -> bool:
    has_workers = settings.dispatch == "celery" and not current_app.conf.task_always_eager
    return has_workers and not factory.is_pretended()
