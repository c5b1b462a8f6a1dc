"""A small host project. DATABASE_URL chooses another database than SQLite."""

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django

SECRET_KEY = "only-for-the-tests-and-long-enough-for-sha256"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "Europe/Moscow"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "django_voicepassword",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
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
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "django_voicepassword.backends.PhoneBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
# 3.1 says "null" as JSON Schema does, so that answers can be validated.
SPECTACULAR_SETTINGS = {"OAS_VERSION": "3.1.0"}
CELERY_BROKER_URL = "memory://"

_ENGINES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


def _database(address: str) -> dict[str, Any]:
    if not address:
        # A plain SQLite file, no IMMEDIATE: the bursts must survive what most projects have.
        test = {"NAME": str(Path(tempfile.mkdtemp()) / "test.sqlite3")}
        options = {"timeout": 20}
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ":memory:",
            "OPTIONS": options,
            "TEST": test,
        }
    parts = urlsplit(address)
    engine = _ENGINES[parts.scheme]
    if engine == "mysql":
        import pymysql

        # Django asks for a version of mysqlclient; PyMySQL names the one that it stands for.
        pymysql.version_info = (2, 2, 7, "final", 0)
        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": parts.path.lstrip("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


DATABASES = {"default": _database(os.environ.get("DATABASE_URL", ""))}
VOICEPASSWORD = {"API_KEY": "", "TRANSPORT": "memory"}

if django.VERSION >= (6, 1):
    # Django warns that it will have no mailer without this setting.
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    # The tests' mailer is none for a deployment.
    SILENCED_SYSTEM_CHECKS = ["mail.E001"]
