"""Settings of the measured project: those of the tests, with persistent database connections and
the default limits of the app.
"""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

# For the tables of the lean floors.
INSTALLED_APPS += ["benchmarks"]
ROOT_URLCONF = "benchmarks.urls"
# As in docs/deployment.md, but without CONN_HEALTH_CHECKS, which adds one statement to every
# request of the app and of the floors.
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
