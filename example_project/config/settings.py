"""Settings of the example. Every value has a default; environment variables override it."""

import json
from pathlib import Path

import environ
from django.core.management.utils import get_random_secret_key

from django_voicepassword.schedule import BEAT_SCHEDULE

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
VAR = Path(env("VAR_DIR", default=str(BASE_DIR.parent / "var")))
VAR.mkdir(parents=True, exist_ok=True)


def _secret_key() -> str:
    """Return the key that is generated on the first start and stored beside the database."""
    path = VAR / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key())
    return path.read_text()


SECRET_KEY = env("SECRET_KEY", default="") or _secret_key()
DEBUG = env.bool("DEBUG", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_voicepassword",
    "demo_data",
    "demo_site",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR / 'db.sqlite3'}")}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE"}
elif "mysql" in DATABASES["default"]["ENGINE"]:
    import pymysql

    # Django requires this version of mysqlclient, which PyMySQL replaces.
    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="filesystem://localhost/")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = env("CELERY_TASK_DEFAULT_QUEUE", default="celery")
if CELERY_BROKER_URL.startswith("filesystem"):
    _queue, _control = VAR / "broker" / "queue", VAR / "broker" / "control"
    for _folder in (_queue, _control):
        _folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue),
        "data_folder_out": str(_queue),
        "control_folder": str(_control),
        "polling_interval": 0.2,
    }
CELERY_WORKER_LOG_FORMAT = CELERY_WORKER_TASK_LOG_FORMAT = "[%(asctime)s] %(levelname)s %(message)s"
CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat")

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "django_voicepassword.backends.PhoneBackend",
]
#: The ports of the newest demo, so that commands beside it reach its sandbox.
_ports = VAR / "ports.json"
_PORTS = json.loads(_ports.read_text()) if _ports.exists() else {"web": 8000, "sandbox": 8001}
VOICEPASSWORD = {
    "API_KEY": "sandbox-key",
    "API_URL": f"http://127.0.0.1:{_PORTS['sandbox']}/api/voice-password/",
    "CALLBACK_BASE_URL": f"http://127.0.0.1:{_PORTS['web']}",
    # Any key of the app as JSON: VOICEPASSWORD='{"CODE_SOURCE": "service", "RESEND_AFTER": 5}'
    **env.json("VOICEPASSWORD", default={}),
}

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", "Русский"), ("en", "English")]
TIME_ZONE = "Europe/Moscow"
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "voicepassword:login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "welcome"
