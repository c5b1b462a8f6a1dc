"""Celery tasks: a primary key or a date in, one call of a lower floor.

No code, API key or phone number is ever an argument.
"""

from __future__ import annotations

import datetime
import logging
from datetime import timedelta

from celery import shared_task

from django_voicepassword import statistics, upkeep
from django_voicepassword.calls import placing
from django_voicepassword.history import retention
from django_voicepassword.limits import probes
from django_voicepassword.transactions import DATABASE_ERRORS
from django_voicepassword.verifications import dispatch

logger = logging.getLogger(__name__)


# Acknowledged late, so a worker that dies before it claims the row loses nothing. If it dies after
# the claim, the task is delivered again, finds the row claimed, and does nothing. For the same
# reason the task may be retried when the database was away: the person need not wait for
# ``poll_calls``.
@shared_task(
    name="django_voicepassword.tasks.place_call",
    acks_late=True,
    reject_on_worker_lost=True,
    ignore_result=True,
    autoretry_for=DATABASE_ERRORS,
    retry_backoff=2,
    retry_backoff_max=30,
    retry_jitter=False,
    max_retries=6,
)
def place_call(call_id: int) -> None:
    """Place one queued call; try again later where the provider refused the connection."""
    delay = placing.place(call_id)
    if delay is not None:
        place_call.apply_async((call_id,), countdown=delay)


@shared_task(name="django_voicepassword.tasks.sync_daily", ignore_result=True)
def sync_daily(date: str | None = None) -> None:
    """Sync one provider day (an ISO date), or yesterday and today, and count the figures."""
    today = statistics.provider_today()
    days = (
        [today - timedelta(days=1), today] if date is None else [datetime.date.fromisoformat(date)]
    )
    try:
        for day in days:
            statistics.sync_day(day)
    finally:
        # Our own calls are counted whether or not the provider lists them.
        for day in days:
            statistics.update_figures(day)
        statistics.fill_figures(today)


@shared_task(name="django_voicepassword.tasks.check_balance", ignore_result=True)
def check_balance() -> None:
    """Read the balance, if there is an account; ``balance_low`` is sent where it is low."""
    statistics.read_balance()


@shared_task(name="django_voicepassword.tasks.purge", ignore_result=True)
def purge() -> None:
    """Delete or mask what is older than RETENTION_DAYS."""
    retention.purge()


@shared_task(name="django_voicepassword.tasks.poll_calls", ignore_result=True)
def poll_calls() -> None:
    """Watch for attacks, ask for states that no callback reported, notice dead workers, requeue
    stuck calls. That it runs is beat's heartbeat.
    """
    upkeep.note_beat()
    dispatch.poll_and_requeue()


@shared_task(name="django_voicepassword.tasks.answer_probe", ignore_result=True)
def answer_probe(key: str) -> None:
    """Answer a question of voicepassword_doctor: a worker takes tasks from this queue."""
    probes.answer(key)
