"""Warnings about a project that works, but probably not as intended."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Iterator, Sequence

from celery import current_app
from django.apps import AppConfig
from django.conf import global_settings
from django.conf import settings as django_settings
from django.core import checks
from django.middleware.locale import LocaleMiddleware
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from django_voicepassword.checks.settings import check_settings
from django_voicepassword.checks.users import BACKEND, bases_of_backend
from django_voicepassword.conf import settings
from django_voicepassword.provider import factory


@checks.register("voicepassword")
def check_project(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """W002 to W009 and I001. Without a message while ``check_settings`` has some."""
    if check_settings():
        return []
    return [*_check_login(), *_check_sending(), *_check_language(), *_check_production()]


def _check_login() -> Iterator[checks.CheckMessage]:
    backends = list(django_settings.AUTHENTICATION_BACKENDS)
    if not any(map(bases_of_backend, backends)):
        yield checks.Warning(
            "No phone login is possible: PhoneBackend is not in AUTHENTICATION_BACKENDS.",
            hint=f'Add "{BACKEND}" to AUTHENTICATION_BACKENDS.',
            id="voicepassword.W002",
        )
    elif any(database.get("ATOMIC_REQUESTS") for database in django_settings.DATABASES.values()):
        yield checks.Warning(
            "ATOMIC_REQUESTS is on: in a view of your own, "
            "an error would roll back the guess that it counted.",
            hint="The views of this app are safe. Decorate views of your own that call "
            "authenticate() or verifications.check() with transaction.non_atomic_requests, "
            "then silence this check.",
            id="voicepassword.W003",
        )


def _check_sending() -> Iterator[checks.CheckMessage]:
    if (
        settings.dispatch == "celery"
        and not current_app.conf.broker_url
        and not current_app.conf.task_always_eager
    ):
        yield checks.Warning(
            "Celery has no broker: no call can be placed.",
            hint="Set CELERY_BROKER_URL and load your Celery app in the project's __init__.py, "
            'or DISPATCH to "inline".',
            id="voicepassword.W004",
        )
    protecting = ("phone", "phone_guesses", "device", "device_guesses", "ip")
    disabled = [name for name in protecting if not settings.limits.get(name)]
    if disabled:
        yield checks.Warning(
            f'VOICEPASSWORD["LIMITS"] switches off: {", ".join(disabled)}. '
            "Anybody may ring strangers at your cost.",
            hint='Give each a rate, as {"phone": ["3/10m", "10/d"]}.',
            id="voicepassword.W005",
        )
    yield from _check_callback()


def _check_callback() -> Iterator[checks.CheckMessage]:
    if settings.CALLBACK_BASE_URL:
        try:
            reverse("voicepassword:callback", args=["1.token"])
        except NoReverseMatch:
            yield checks.Warning(
                'VOICEPASSWORD["CALLBACK_BASE_URL"] is set, '
                "but no path leads to the callback view.",
                hint='Add path("…", include("django_voicepassword.urls")) to the urls.',
                id="voicepassword.W006",
            )
    elif factory.transport() == "http":
        yield checks.Info(
            'VOICEPASSWORD["CALLBACK_BASE_URL"] is not set: the states of calls are polled.',
            hint="Set it to the site's public https address to hear of them at once.",
            id="voicepassword.I001",
        )


def _check_language() -> Iterator[checks.CheckMessage]:
    code = django_settings.LANGUAGE_CODE
    if not _offers_another_language() or any(map(_chooses_language, django_settings.MIDDLEWARE)):
        return
    yield checks.Warning(
        f'Everybody gets the pages and messages in the language of LANGUAGE_CODE ("{code}"), '
        "whatever language the browser asks for.",
        hint='Add "django.middleware.locale.LocaleMiddleware" to MIDDLEWARE, after '
        "SessionMiddleware, or set LANGUAGE_CODE and LANGUAGES to the language of the site.",
        id="voicepassword.W007",
    )


def _offers_another_language() -> bool:
    """Is there a language of people who use the app besides that of LANGUAGE_CODE?

    By default LANGUAGES has all languages of Django, and a site in Russian need not name its own.
    """
    if not django_settings.USE_I18N:
        return False
    if django_settings.LANGUAGE_CODE.startswith("ru"):
        languages = list(django_settings.LANGUAGES)
        return len(languages) > 1 and languages != global_settings.LANGUAGES
    return any(code.startswith("ru") for code, _ in django_settings.LANGUAGES)


def _chooses_language(path: str) -> bool:
    """Is a middleware Django's LocaleMiddleware, or one of the project that stands for it?"""
    if "locale" in path.casefold() or "language" in path.casefold():
        return True
    try:
        middleware = import_string(path)
    except ImportError:
        return False
    return isinstance(middleware, type) and issubclass(middleware, LocaleMiddleware)


def _check_production() -> Iterator[checks.CheckMessage]:
    if django_settings.DEBUG:
        return
    if settings.TEST_NUMBERS:
        yield checks.Warning(
            'VOICEPASSWORD["TEST_NUMBERS"] is set outside DEBUG: '
            "whoever knows a code logs in without a phone.",
            hint="Remove them in production.",
            id="voicepassword.W008",
        )
    is_urllib3_verbose = logging.getLogger("urllib3").isEnabledFor(logging.DEBUG)
    if http.client.HTTPConnection.debuglevel or is_urllib3_verbose:
        yield checks.Warning(
            "Requests are logged for debugging: headers or addresses reach the log.",
            hint='Set http.client.HTTPConnection.debuglevel to 0 and the logger "urllib3" to INFO.',
            id="voicepassword.W009",
        )
