"""The beat schedule, ready for CELERY_BEAT_SCHEDULE; importing it does nothing else.

CELERY_BEAT_SCHEDULE = {**BEAT_SCHEDULE, …}
"""

from __future__ import annotations

from typing import Any

#: Name -> the task and how often, in seconds.
BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "voicepassword-poll-calls": {"task": "django_voicepassword.tasks.poll_calls", "schedule": 15.0},
}
