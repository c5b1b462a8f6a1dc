"""The app's settings: the dict ``VOICEPASSWORD`` in the settings of the host project.

It is read at each access, so that ``override_settings`` works. ``DEFAULTS`` has every key, and
``docs/settings.md`` explains them. Unknown keys and wrong values are reported by ``checks``, not
here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.conf import Settings as DjangoSettings
from django.conf import UserSettingsHolder
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
        "device": ["6/d"],
        "device_guesses": ["10/d"],
        "long_guesses": ["100/d"],
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
    "USER_PHONE_TRUSTED": False,
    "CREATE_USERS": True,
    "STAFF_LOGIN": False,
    "DORMANT_AFTER_DAYS": None,
    "LOGIN": "session",
    "BEFORE_SEND": None,
    "PROVEN_SHARE": 0.3,
    "LONG_CODE": 6,
    "CHALLENGE": None,
    "CHALLENGE_KEYS": {},
    "FRAUD_GUARD": "enforce",
    "FRAUD_FLOOR": 50,
}

#: What ``override_settings`` puts its values around: the settings of the project, or other values
#: that were put around them.
_HOLDERS = (DjangoSettings, UserSettingsHolder)


class Settings:
    """``settings.CODE_TTL`` is ``VOICEPASSWORD["CODE_TTL"]`` or its default."""

    # Types for mypy; the system checks make sure that the values have them. DAILY_BUDGET is a
    # Decimal or None, USER_PHONE_FIELD a str or None: mypy forgets a check for None at once.
    API_KEY: str
    API_URL: str
    API_AUTH: str
    TIMEOUT: tuple[float, float]
    TRANSPORT: str | None
    DISPATCH: str | None
    CHANNELS: Sequence[str]
    CODE_SOURCE: str
    CODE_LENGTH: int
    CODE_TTL: int
    MAX_ATTEMPTS: int
    RESEND_AFTER: int
    MAX_SENDS: int
    LIMITS: Mapping[str, list[str]]
    DAILY_BUDGET: Any
    ALLOWED_PREFIXES: Sequence[str]
    DEFAULT_REGION: str | None
    CALLBACK_BASE_URL: str | None
    CALLBACK_ALLOWED_IPS: list[str]
    TRUSTED_PROXIES: int
    ANI: str | None
    VOICE_REPEAT: bool
    PROVIDER_TIME_ZONE: str
    POLL_DELAYS: Sequence[float]
    LOW_BALANCE: Decimal | None
    TEST_NUMBERS: Mapping[str, str]
    RETENTION_DAYS: int | None
    RETENTION: str
    USER_PHONE_FIELD: Any
    USER_PHONE_TRUSTED: bool
    CREATE_USERS: bool
    STAFF_LOGIN: bool
    DORMANT_AFTER_DAYS: int | None
    LOGIN: str
    BEFORE_SEND: str | None
    PROVEN_SHARE: float
    LONG_CODE: int | None
    CHALLENGE: str | None
    CHALLENGE_KEYS: Mapping[str, str]
    FRAUD_GUARD: str
    FRAUD_FLOOR: int

    def __getattr__(self, name: str) -> Any:
        try:
            default = DEFAULTS[name]
        except KeyError:
            raise AttributeError(f"VOICEPASSWORD has no key {name!r}") from None
        return self.given.get(name, default)

    @property
    def given(self) -> dict[str, Any]:
        """The dict of the host project; empty if there is none."""
        given = getattr(django_settings, "VOICEPASSWORD", None) or {}
        if not isinstance(given, dict):
            raise ImproperlyConfigured("VOICEPASSWORD must be a dict")
        return given

    def is_chosen_by_test(self, key: str) -> bool:
        """Has a key another value than in the project's own settings, because of
        ``override_settings``?
        """
        chosen = getattr(self, key)
        return chosen is not None and chosen != _of_project().get(key, DEFAULTS[key])

    @property
    def limits(self) -> dict[str, list[str]]:
        """LIMITS, completed: a limit that the host project does not name has its default.

        ``[]`` switches a limit off.
        """
        return {**DEFAULTS["LIMITS"], **self.LIMITS}

    @property
    def long_code(self) -> int | None:
        """LONG_CODE; None where there are no long codes.

        Only a flash call has one, and it must be longer than the usual code.
        """
        length = self.LONG_CODE
        is_possible = "flashcall" in self.CHANNELS and (length or 0) > self.CODE_LENGTH
        return length if is_possible else None

    @property
    def transport(self) -> str:
        """TRANSPORT, with None resolved: ``http``, ``console``, ``memory`` or a dotted path.

        ``provider.factory.transport`` also keeps a test run from calling the provider.
        """
        if self.TRANSPORT is not None:
            return str(self.TRANSPORT)
        if is_test_run():
            return "memory"
        if self.API_KEY:
            return "http"
        if django_settings.DEBUG:
            return "console"
        raise ImproperlyConfigured(
            'VOICEPASSWORD["API_KEY"] is missing: set it to the key from your account at the '
            'provider, or set TRANSPORT to "console" or "memory"'
        )

    @property
    def dispatch(self) -> str:
        """DISPATCH, with None resolved: ``celery`` or ``inline``. In a test run it is ``inline``,
        unless the test itself chose another value.
        """
        if is_test_run() and not self.is_chosen_by_test("DISPATCH"):
            return "inline"
        if self.DISPATCH is not None:
            return str(self.DISPATCH)
        return "inline" if self.transport in ("console", "memory") else "celery"


def is_test_run() -> bool:
    """Is this process one that ``setup_test_environment()`` was called in?

    Django's test runner and pytest-django call it. They turn DEBUG off, so DEBUG does not tell.
    """
    # Imported by the test runner alone.
    module = sys.modules.get("django.test.utils")
    return hasattr(getattr(module, "_TestState", None), "saved_data")


def _of_project() -> dict[str, Any]:
    """VOICEPASSWORD as the project's own settings have it, below every ``override_settings``."""
    holder: Any = django_settings
    holder = holder._wrapped
    # settings.configure() makes a holder too, around the module of Django's defaults.
    while isinstance(getattr(holder, "default_settings", None), _HOLDERS):
        holder = holder.default_settings
    return getattr(holder, "VOICEPASSWORD", None) or {}


settings = Settings()
