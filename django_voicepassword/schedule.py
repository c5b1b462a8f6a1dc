"""The beat schedule, ready for CELERY_BEAT_SCHEDULE; importing it does nothing else.

CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, …}
"""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

#: Name -> the task and when: every so many seconds, or by the clock of Celery's time zone.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
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
