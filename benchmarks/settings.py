"""The host project that is measured: that of the tests, with connections that stay and the app's
usual limits.
"""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

ROOT_URLCONF = "benchmarks.urls"
# As docs/deployment.md has it, but for CONN_HEALTH_CHECKS: the same statement more for floor and
# app.
DATABASES["default"]["CONN_MAX_AGE"] = None
if os.environ.get("BENCHMARK_SQLITE"):
    DATABASES["default"]["NAME"] = os.environ["BENCHMARK_SQLITE"]
CELERY_BROKER_URL = os.environ.get("BENCHMARK_BROKER", "memory://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_DB_REUSE_MAX = 1000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
VOICEPASSWORD = {
    "API_KEY": "benchmark-key",
    "DISPATCH": "celery",
    "CALLBACK_BASE_URL": "https://example.org",
    **json.loads(os.environ.get("BENCHMARK_VOICEPASSWORD", "{}")),
}
