"""Settings of a simulated site: the tables that a login needs, in memory.

ATTACKS_VOICEPASSWORD, as JSON, adds to the app's own settings.
"""

import json
import os
from decimal import Decimal

SECRET_KEY = "only-for-the-simulation-and-long-enough-for-sha256"
USE_TZ = True
TIME_ZONE = "Europe/Moscow"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_voicepassword",
]
# The tables are made from the models: quicker than by the migrations of other apps.
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "django_voicepassword": None}
AUTHENTICATION_BACKENDS = ["django_voicepassword.backends.PhoneBackend"]
LOGGING_CONFIG = None
_CHANGED = json.loads(os.environ.get("ATTACKS_VOICEPASSWORD", "{}"), parse_float=Decimal)
if "DAILY_BUDGET" in _CHANGED:
    _CHANGED["DAILY_BUDGET"] = Decimal(_CHANGED["DAILY_BUDGET"])
VOICEPASSWORD = {
    "TRANSPORT": "benchmarks.attacks.provider.Provider",
    "DISPATCH": "celery",
    **_CHANGED,
}
