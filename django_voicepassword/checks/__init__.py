"""System checks: every mistake in the settings that can be seen before somebody is called, with
what to do about it.

Run by ``manage.py check`` and at every start; what only matters in production is told by ``check
--deploy``.
"""

from __future__ import annotations

import difflib
import http.client
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from django_voicepassword.checks.rules import RULES
from django_voicepassword.conf import DEFAULTS, settings
from django_voicepassword.provider.client import is_loopback

BACKEND = "django_voicepassword.backends.PhoneBackend"


@checks.register("voicepassword")
def check_settings(app_configs: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """E001-E006: what cannot work."""
    try:
        given = settings.given
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error), hint='Write VOICEPASSWORD = {"API_KEY": …}.', id="voicepassword.E001"
            )
        ]
    messages: list[checks.CheckMessage] = [_unknown(key) for key in given if key not in DEFAULTS]
    wrong = [key for key in RULES if key in given and not _holds(key, given[key])]
    messages += [
        # The value is not repeated: it may be the key itself.
        checks.Error(
            f'VOICEPASSWORD["{key}"] is wrong.',
            hint=f"It must be {RULES[key][1]}.",
            id="voicepassword.E003",
        )
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
            str(error),
            hint="Read the key from the environment, not from the repository.",
            id="voicepassword.E004",
        )
        return
    if transport == "http" and not settings.API_KEY:
        yield checks.Error(
            'VOICEPASSWORD["API_KEY"] is missing.',
            hint='Set it, or TRANSPORT to "console" for development.',
            id="voicepassword.E004",
        )
    if settings.CODE_LENGTH != 4 and (
        settings.CODE_SOURCE != "service" or "voice" in settings.CHANNELS
    ):
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
    if (
        settings.dispatch == "celery"
        and not current_app.conf.broker_url
        and not current_app.conf.task_always_eager
    ):
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
    if http.client.HTTPConnection.debuglevel or logging.getLogger("urllib3").isEnabledFor(
        logging.DEBUG
    ):
        yield checks.Warning(
            "Requests are logged for debugging: headers or addresses reach the log.",
            hint='Set http.client.HTTPConnection.debuglevel to 0 and the logger "urllib3" to INFO.',
            id="voicepassword.W009",
        )


def _is_phone_backend(path: str) -> bool:
    try:
        bases = import_string(path).__mro__
    except (ImportError, AttributeError):
        return False
    # By name: a check must not import the backend, which stands beside it.
    return any(f"{base.__module__}.{base.__qualname__}" == BACKEND for base in bases)


def _is_plain(address: str) -> bool:
    return urlsplit(address).scheme == "http" and not _is_loopback(address)


def _is_loopback(address: str) -> bool:
    return is_loopback(urlsplit(address).hostname or "")
