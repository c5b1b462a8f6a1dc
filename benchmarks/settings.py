"""Settings of the measured project: those of the tests, with persistent database connections and
the default limits of the app.
"""

import json
import os

from benchmarks import peers
from tests.settings import *  # noqa: F403
from tests.settings import AUTHENTICATION_BACKENDS, DATABASES, INSTALLED_APPS, MIDDLEWARE

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
if os.environ.get("BENCHMARK_PEERS"):
    INSTALLED_APPS += peers.APPS
    MIDDLEWARE += [peers.MIDDLEWARE]
    AUTHENTICATION_BACKENDS += ["allauth.account.auth_backends.AuthenticationBackend"]
    globals().update(peers.SETTINGS)
VOICEPASSWORD = {
    "API_KEY": "benchmark-key",
    "DISPATCH": "celery",
    "CALLBACK_BASE_URL": "https://example.org",
    **json.loads(os.environ.get("BENCHMARK_VOICEPASSWORD", "{}")),
}
