"""The schedule of the app's periodic tasks, for Celery beat.

    CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, …}

A settings module can import it: it imports nothing of Django or of the app.
"""

from __future__ import annotations

from typing import TypedDict

from celery.schedules import crontab


class Entry(TypedDict):
    """An entry of CELERY_BEAT_SCHEDULE."""

    task: str
    #: Seconds between two runs, or times of day in Celery's time zone.
    schedule: float | crontab


BEAT_SCHEDULE: dict[str, Entry] = {
    "voicepassword-poll-calls": {"task": "django_voicepassword.tasks.poll_calls", "schedule": 15.0},
    "voicepassword-sync-daily": {
        "task": "django_voicepassword.tasks.sync_daily",
        "schedule": crontab(minute="17"),
    },
    "voicepassword-check-balance": {
        "task": "django_voicepassword.tasks.check_balance",
        "schedule": crontab(minute="7"),
    },
    "voicepassword-purge": {
        "task": "django_voicepassword.tasks.purge",
        "schedule": crontab(hour="3", minute="37"),
    },
}
