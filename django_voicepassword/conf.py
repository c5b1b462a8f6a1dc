"""The settings: one dict, ``VOICEPASSWORD``, read at every access so that ``override_settings``
works.

``DEFAULTS`` is the table of every key; ``docs/settings.md`` explains them. ``checks.py`` tells
about unknown keys and wrong values; here a missing key simply has its default.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

DEFAULTS: dict[str, Any] = {
    "API_KEY": "",
    "API_URL": "https://vp.voicepassword.ru/api/voice-password/",
    "API_AUTH": "header",
    "TIMEOUT": (3.05, 15),
    "TRANSPORT": None,
    "DISPATCH": None,
    "CHANNELS": ["flashcall", "voice", "sms"],
    "CODE_SOURCE": "client",
    "CODE_LENGTH": 4,
    "CODE_TTL": 300,
    "MAX_ATTEMPTS": 5,
    "RESEND_AFTER": 60,
    "MAX_SENDS": 3,
    "LIMITS": {
        "phone": ["3/10m", "10/d"],
        "phone_guesses": ["15/d"],
        "ip": ["20/h"],
        "prefix": [],
        "site": [],
    },
    "DAILY_BUDGET": None,
    "ALLOWED_PREFIXES": ["79"],
    "DEFAULT_REGION": "RU",
    "CALLBACK_BASE_URL": None,
    "CALLBACK_ALLOWED_IPS": [],
    "TRUSTED_PROXIES": 0,
    "ANI": None,
    "VOICE_REPEAT": False,
    "PROVIDER_TIME_ZONE": "Europe/Moscow",
    "POLL_DELAYS": [15, 60, 300, 1800],
    "LOW_BALANCE": None,
    "TEST_NUMBERS": {},
    "RETENTION_DAYS": None,
    "RETENTION": "delete",
    "USER_PHONE_FIELD": None,
    "CREATE_USERS": True,
    "LOGIN": "session",
    "BEFORE_SEND": None,
}


class Settings:
    """``settings.CODE_TTL`` is ``VOICEPASSWORD["CODE_TTL"]`` or its default."""

    def __getattr__(self, name: str) -> Any:
        try:
            default = DEFAULTS[name]
        except KeyError:
            raise AttributeError(f"VOICEPASSWORD has no key {name!r}") from None
        return self.given.get(name, default)

    @property
    def given(self) -> dict[str, Any]:
        """What the host project wrote; empty when it wrote nothing."""
        given = getattr(django_settings, "VOICEPASSWORD", None) or {}
        if not isinstance(given, dict):
            raise ImproperlyConfigured("VOICEPASSWORD must be a dict")
        return given

    @property
    def limits(self) -> dict[str, list[str]]:
        """LIMITS: a limit that the host project does not name keeps its default, ``[]`` switches it
        off.
        """
        return {**DEFAULTS["LIMITS"], **self.LIMITS}

    @property
    def transport(self) -> str:
        """``http``, ``console``, ``memory`` or a dotted client factory; None is resolved here."""
        if self.TRANSPORT is not None:
            return str(self.TRANSPORT)
        if self.API_KEY:
            return "http"
        if django_settings.DEBUG:
            return "console"
        raise ImproperlyConfigured(
            'VOICEPASSWORD["API_KEY"] is missing: set the key from the provider\'s personal account, '
            'or TRANSPORT to "console" or "memory"'
        )

    @property
    def dispatch(self) -> str:
        """``celery`` or ``inline``; None is resolved here."""
        if self.DISPATCH is not None:
            return str(self.DISPATCH)
        return "inline" if self.transport in ("console", "memory") else "celery"


settings = Settings()
