"""System checks: every mistake in the settings that can be seen before somebody is called, with what to do about it.

Run by ``manage.py check`` and at every start; what only matters in production is told by ``check --deploy``.
"""

from __future__ import annotations

import difflib
import http.client
import ipaddress
import logging
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from celery import current_app
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from django_voicepassword import limits, phones
from django_voicepassword.conf import DEFAULTS, settings
from django_voicepassword.exceptions import InvalidPhone

BACKEND = "django_voicepassword.backends.PhoneBackend"
CHANNELS = ("flashcall", "voice", "sms")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_timeout(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(_is_number(one) and one > 0 for one in value)


def _is_channels(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(one in CHANNELS for one in value)
        and len(set(value)) == len(value)
        and value[0] != "sms"
    )


def _is_limits(value: Any) -> bool:
    if not isinstance(value, dict) or not set(value) <= set(limits.NAMES):
        return False
    return all(isinstance(rates, (list, tuple)) and all(map(_is_rate, rates)) for rates in value.values())


def _is_rate(value: Any) -> bool:
    try:
        return limits.parse_rate(value).count >= 0
    except (TypeError, ValueError):
        return False


def _is_money(value: Any) -> bool:
    return value is None or (isinstance(value, Decimal) and value.is_finite() and value >= 0) or _is_count(value)


def _is_prefixes(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) and one.isascii() and one.isdigit() for one in value)


def _is_url(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is no port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment


def _is_networks(value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    try:
        return all(ipaddress.ip_network(one, strict=False) is not None for one in value)
    except ValueError:
        return False


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and ZoneInfo(value) is not None
    except (OSError, ValueError):
        return False


def _is_test_numbers(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for number, code in value.items():
        if not isinstance(code, str) or not (code.isascii() and code.isdigit()):
            return False
        try:
            phones.normalize(number)
        except InvalidPhone:
            return False
    return True


def _is_region(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper())


def _is_phone_digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and 5 <= len(value) <= 15


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and "." in value


#: Key -> (is it right?, what it must be).
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "API_KEY": (lambda value: isinstance(value, str), "the key as text"),
    "API_URL": (_is_url, "an absolute address, https://…"),
    "API_AUTH": (lambda value: value in ("header", "body"), '"header" or "body"'),
    "TIMEOUT": (_is_timeout, "two positive numbers of seconds: (connect, read)"),
    "TRANSPORT": (
        lambda value: value in (None, "http", "console", "memory") or _is_path(value),
        'None, "http", "console", "memory" or the dotted path of a client factory',
    ),
    "DISPATCH": (lambda value: value in (None, "celery", "inline"), 'None, "celery" or "inline"'),
    "CHANNELS": (
        _is_channels,
        'a list of "flashcall", "voice" and "sms", not empty, each once, "sms" not first (it repeats the code of a call)',
    ),
    "CODE_SOURCE": (lambda value: value in ("client", "service"), '"client" or "service"'),
    "CODE_LENGTH": (lambda value: _is_count(value, 4) and value <= 10, "a number from 4 to 10"),
    "CODE_TTL": (lambda value: _is_count(value, 1), "a number of seconds, 1 or more"),
    "MAX_ATTEMPTS": (lambda value: _is_count(value, 1) and value <= 1000, "a number of guesses, 1 or more"),
    "RESEND_AFTER": (_is_count, "a number of seconds, 0 or more"),
    "MAX_SENDS": (lambda value: _is_count(value, 1) and value <= 1000, "a number of sends, 1 or more"),
    "LIMITS": (
        _is_limits,
        f'a dict of {", ".join(limits.NAMES)} to lists of rates "N/Pu", as {{"phone": ["3/10m", "10/d"]}}',
    ),
    "DAILY_BUDGET": (_is_money, "None or a Decimal, 0 or more"),
    "ALLOWED_PREFIXES": (_is_prefixes, 'a list of digits that numbers begin with, as ["79"]; [] = any'),
    "DEFAULT_REGION": (_is_region, 'the two letters of a country, as "RU", or None'),
    "CALLBACK_BASE_URL": (lambda value: value is None or _is_url(value), "None or an absolute address, https://…"),
    "CALLBACK_ALLOWED_IPS": (_is_networks, 'a list of addresses or networks, as ["192.0.2.0/24"]'),
    "TRUSTED_PROXIES": (_is_count, "how many proxies stand before the site, 0 or more"),
    "ANI": (lambda value: value is None or _is_phone_digits(value), 'None or digits, as "74959999999"'),
    "VOICE_REPEAT": (lambda value: isinstance(value, bool), "True or False"),
    "PROVIDER_TIME_ZONE": (_is_zone, 'the name of a time zone, as "Europe/Moscow"'),
    "POLL_DELAYS": (
        lambda value: isinstance(value, (list, tuple)) and all(_is_number(one) and one > 0 for one in value),
        "a list of positive numbers of seconds; [] = never poll",
    ),
    "LOW_BALANCE": (_is_money, "None or a Decimal, 0 or more"),
    "TEST_NUMBERS": (_is_test_numbers, 'a dict of phone numbers to codes, as {"79000000001": "1234"}'),
    "RETENTION_DAYS": (lambda value: value is None or _is_count(value, 1), "None or a number of days, 1 or more"),
    "USER_PHONE_FIELD": (
        lambda value: value is None or (isinstance(value, str) and value.isidentifier()),
        "None or the name of a field of the user model",
    ),
    "CREATE_USERS": (lambda value: isinstance(value, bool), "True or False"),
    "LOGIN": (
        lambda value: value in ("session", "token", "jwt") or _is_path(value),
        '"session", "token", "jwt" or the dotted path of a callable',
    ),
    "BEFORE_SEND": (lambda value: value is None or _is_path(value), "None or the dotted path of a callable"),
}


@checks.register("voicepassword")
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001-E006: what cannot work."""
    try:
        given = settings.given
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), hint='Write VOICEPASSWORD = {"API_KEY": …}.', id="voicepassword.E001")]
    messages: list[checks.CheckMessage] = [_unknown(key) for key in given if key not in DEFAULTS]
    wrong = [key for key in RULES if key in given and not _holds(key, given[key])]
    messages += [
        # The value is not repeated: it may be the key itself.
        checks.Error(f'VOICEPASSWORD["{key}"] is wrong.', hint=f"It must be {RULES[key][1]}.", id="voicepassword.E003")
        for key in wrong
    ]
    if not wrong:
        messages += [*_combinations(), *_imports(), *_addresses()]
    return messages


@checks.register("voicepassword")
def check_project(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W002-W009: what works, and hardly as it is meant."""
    if check_settings():
        return []
    return [*_login_warnings(), *_sending_warnings(), *_production_warnings()]


@checks.register("voicepassword", deploy=True)
def check_deployment(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W010, W011: what is right for development only."""
    if check_settings():
        return []
    messages: list[checks.CheckMessage] = []
    if settings.transport == "http" and _is_loopback(settings.API_URL):
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["API_URL"] is an address of this machine: calls go to a sandbox.',
                hint="Remove API_URL: its default is the provider's address.",
                id="voicepassword.W010",
            )
        )
    if settings.transport in ("console", "memory"):
        messages.append(
            checks.Warning(
                f'VOICEPASSWORD["TRANSPORT"] is "{settings.transport}": nobody is called.',
                hint='Set API_KEY, and TRANSPORT to "http" or None.',
                id="voicepassword.W011",
            )
        )
    return messages


def _holds(key: str, value: Any) -> bool:
    try:
        return RULES[key][0](value)
    except (TypeError, ValueError):
        return False


def _unknown(key: Any) -> checks.CheckMessage:
    near = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1)
    hint = f'Did you mean "{near[0]}"?' if near else f"The keys are: {', '.join(DEFAULTS)}."
    return checks.Error(f'VOICEPASSWORD has no key "{key}".', hint=hint, id="voicepassword.E002")


def _combinations() -> Iterable[checks.CheckMessage]:
    try:
        transport = settings.transport
    except ImproperlyConfigured as error:
        yield checks.Error(
            str(error), hint="Read the key from the environment, not from the repository.", id="voicepassword.E004"
        )
        return
    if transport == "http" and not settings.API_KEY:
        yield checks.Error(
            'VOICEPASSWORD["API_KEY"] is missing.',
            hint='Set it, or TRANSPORT to "console" for development.',
            id="voicepassword.E004",
        )
    if settings.CODE_LENGTH != 4 and (settings.CODE_SOURCE != "service" or "voice" in settings.CHANNELS):
        yield checks.Error(
            f'VOICEPASSWORD["CODE_LENGTH"] is {settings.CODE_LENGTH}: only the provider makes such a code, '
            "and only for a flash call.",
            hint='Set CODE_SOURCE to "service" and leave "voice" out of CHANNELS, or CODE_LENGTH to 4.',
            id="voicepassword.E005",
        )


def _imports() -> Iterable[checks.CheckMessage]:
    built_in = {None, "http", "console", "memory", "session", "token", "jwt"}
    for key in ("TRANSPORT", "LOGIN", "BEFORE_SEND"):
        path = getattr(settings, key)
        if path in built_in:
            continue
        try:
            import_string(path)
        except ImportError as error:
            yield checks.Error(
                f'VOICEPASSWORD["{key}"] cannot be imported: {error}',
                hint="Write the dotted path of a callable, as project.module.name.",
                id="voicepassword.E006",
            )
    field = settings.USER_PHONE_FIELD
    if field is not None:
        try:
            get_user_model()._meta.get_field(field)
        except FieldDoesNotExist:
            yield checks.Error(
                f'VOICEPASSWORD["USER_PHONE_FIELD"]: the user model has no field "{field}".',
                hint="Name a field of AUTH_USER_MODEL, or None to keep numbers in VerifiedPhone.",
                id="voicepassword.E006",
            )


def _addresses() -> Iterable[checks.CheckMessage]:
    if _is_plain(settings.API_URL):
        yield checks.Error(
            'VOICEPASSWORD["API_URL"] is plain http: the key would travel in it.',
            hint="Write https://.",
            id="voicepassword.E007",
        )
    if settings.CALLBACK_BASE_URL and _is_plain(settings.CALLBACK_BASE_URL):
        yield checks.Warning(
            'VOICEPASSWORD["CALLBACK_BASE_URL"] is plain http: reports can be read and changed on their way.',
            hint="Write https://.",
            id="voicepassword.W001",
        )


def _login_warnings() -> Iterable[checks.CheckMessage]:
    backends = list(django_settings.AUTHENTICATION_BACKENDS)
    if not any(_is_phone_backend(path) for path in backends):
        yield checks.Warning(
            "No phone login is possible: PhoneBackend is not in AUTHENTICATION_BACKENDS.",
            hint=f'Add "{BACKEND}" to AUTHENTICATION_BACKENDS.',
            id="voicepassword.W002",
        )
    elif any(database.get("ATOMIC_REQUESTS") for database in django_settings.DATABASES.values()):
        yield checks.Warning(
            "ATOMIC_REQUESTS is on: in a view of your own, an error would roll back the guess that it counted.",
            hint="The views of this app are safe. Decorate views of your own that call authenticate() or "
            "verifications.check() with transaction.non_atomic_requests, then silence this check.",
            id="voicepassword.W003",
        )


def _sending_warnings() -> Iterable[checks.CheckMessage]:
    if settings.dispatch == "celery" and not current_app.conf.broker_url and not current_app.conf.task_always_eager:
        yield checks.Warning(
            "Celery has no broker: no call can be placed.",
            hint='Set CELERY_BROKER_URL and load your Celery app in the project\'s __init__.py, or DISPATCH to "inline".',
            id="voicepassword.W004",
        )
    off = [name for name in ("phone", "phone_guesses", "ip") if not settings.limits.get(name)]
    if off:
        yield checks.Warning(
            f'VOICEPASSWORD["LIMITS"] switches off: {", ".join(off)}. Anybody may ring strangers at your cost.',
            hint='Give each a rate, as {"phone": ["3/10m", "10/d"]}.',
            id="voicepassword.W005",
        )
    if settings.CALLBACK_BASE_URL:
        try:
            reverse("voicepassword:callback", args=["1.token"])
        except NoReverseMatch:
            yield checks.Warning(
                'VOICEPASSWORD["CALLBACK_BASE_URL"] is set, but no path leads to the callback view.',
                hint='Add path("…", include("django_voicepassword.urls")) to the urls.',
                id="voicepassword.W006",
            )
    elif settings.transport == "http":
        yield checks.Info(
            'VOICEPASSWORD["CALLBACK_BASE_URL"] is not set: the states of calls are polled.',
            hint="Set it to the site's public https address to hear of them at once.",
            id="voicepassword.I001",
        )


def _production_warnings() -> Iterable[checks.CheckMessage]:
    if django_settings.DEBUG:
        return
    if settings.TEST_NUMBERS:
        yield checks.Warning(
            'VOICEPASSWORD["TEST_NUMBERS"] is set outside DEBUG: who knows a code logs in without a phone.',
            hint="Remove them in production.",
            id="voicepassword.W008",
        )
    if http.client.HTTPConnection.debuglevel or logging.getLogger("urllib3").isEnabledFor(logging.DEBUG):
        yield checks.Warning(
            "Requests are logged for debugging: headers or addresses reach the log.",
            hint='Set http.client.HTTPConnection.debuglevel to 0 and the logger "urllib3" to INFO.',
            id="voicepassword.W009",
        )


def _is_phone_backend(path: str) -> bool:
    from django_voicepassword.backends import PhoneBackend

    try:
        return issubclass(import_string(path), PhoneBackend)
    except (ImportError, TypeError):
        return False


def _is_plain(address: str) -> bool:
    return urlsplit(address).scheme == "http" and not _is_loopback(address)


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
