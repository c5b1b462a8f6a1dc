"""Errors that the first right code would meet: no user can be created, or no login answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_voicepassword.accounts import login, new_users
from django_voicepassword.checks.settings import check_settings
from django_voicepassword.conf import settings

BACKEND = "django_voicepassword.backends.PhoneBackend"


@checks.register("voicepassword")
def check_users(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """E008, E009. Without a message while ``check_settings`` has some."""
    return [] if check_settings() else [*_check_new_users(), *_check_answer()]


def _check_new_users() -> Iterator[checks.CheckMessage]:
    if not settings.CREATE_USERS:
        return
    if not any(map(_creates_users, django_settings.AUTHENTICATION_BACKENDS)):
        return
    reasons = "; ".join(new_users.obstacles())
    if reasons:
        yield checks.Error(
            f"A first login by phone cannot create a user: {reasons}.",
            hint="Override create_user in a subclass of PhoneBackend, or set CREATE_USERS to "
            "False.",
            id="voicepassword.E008",
        )


def _check_answer() -> Iterator[checks.CheckMessage]:
    try:
        login.find_answer()
    except ImproperlyConfigured as error:
        yield checks.Error(
            str(error),
            hint='Without it, every login of the API fails. LOGIN "session" needs no package.',
            id="voicepassword.E009",
        )


def bases_of_backend(path: str) -> list[type]:
    """The classes of an authentication backend, from it up to PhoneBackend.

    Empty where it is no PhoneBackend. Compared by name: checks and backends are on the same floor
    and do not import each other.
    """
    try:
        bases = import_string(path).__mro__
    except (ImportError, AttributeError):
        return []
    names = [f"{base.__module__}.{base.__qualname__}" for base in bases]
    return list(bases[: names.index(BACKEND) + 1]) if BACKEND in names else []


def _creates_users(path: str) -> bool:
    """Is an authentication backend a PhoneBackend that creates users in the app's own way?"""
    own = {"find_user", "create_user"}
    bases = bases_of_backend(path)
    return bool(bases) and not any(own & set(vars(base)) for base in bases[:-1])
