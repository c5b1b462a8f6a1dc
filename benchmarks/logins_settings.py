"""Settings of web and workers for ``benchmarks.logins``: the example project, deployed as in
docs/deployment.md.
"""

from __future__ import annotations

import json
import os
from typing import Any

from celery.signals import task_prerun
from config.settings import *  # noqa: F403
from config.settings import DATABASES
from django.db import close_old_connections

DEBUG = False
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
# What the options of the benchmark change.
DATABASES["default"] |= json.loads(os.environ.get("BENCHMARK_DATABASE", "{}"))
CELERY_TASK_ROUTES = {"django_voicepassword.tasks.place_call": {"queue": "calls"}}
CELERY_DB_REUSE_MAX = 1000
CELERY_BEAT_SCHEDULE = {}


@task_prerun.connect
def check_connections(**kwargs: Any) -> None:
    close_old_connections()
