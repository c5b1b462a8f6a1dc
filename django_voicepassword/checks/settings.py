"""Errors in VOICEPASSWORD: unknown keys, wrong values, impossible combinations, failing imports."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.utils.module_loading import import_string

from django_voicepassword.checks.rules import RULES, is_plain_http
from django_voicepassword.conf import DEFAULTS, settings
from django_voicepassword.provider import factory

#: The challenges that need CHALLENGE_KEYS.
_CONTRIB_CHALLENGES = "django_voicepassword.contrib.challenges."


@checks.register("voicepassword")
def check_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """E001 to E007, E011 and E012: what cannot work. W001: a CALLBACK_BASE_URL without TLS."""
    try:
        configured = settings.given
    except ImproperlyConfigured as error:
        return [
            checks.Error(
                str(error), hint='Write VOICEPASSWORD = {"API_KEY": …}.', id="voicepassword.E001"
            )
        ]
    messages = [_unknown_key(key) for key in configured if key not in DEFAULTS]
    invalid_keys = [
        key for key in RULES if key in configured and not _is_valid(key, configured[key])
    ]
    messages += [_wrong_value(key) for key in invalid_keys]
    if not invalid_keys:
        messages += [*_check_combinations(), *_check_challenge(), *_check_imports()]
        messages += _check_addresses()
    return messages


def _is_valid(key: str, value: object) -> bool:
    try:
        return RULES[key].is_valid(value)
    except (TypeError, ValueError):
        return False


def _unknown_key(key: object) -> checks.CheckMessage:
    similar = difflib.get_close_matches(str(key).upper(), DEFAULTS, n=1)
    hint = f'Did you mean "{similar[0]}"?' if similar else f"The keys are: {', '.join(DEFAULTS)}."
    return checks.Error(f'VOICEPASSWORD has no key "{key}".', hint=hint, id="voicepassword.E002")


def _wrong_value(key: str) -> checks.CheckMessage:
    # Without the value, which may be the API key.
    return checks.Error(
        f'VOICEPASSWORD["{key}"] is wrong.',
        hint=f"It must be {RULES[key].description}.",
        id="voicepassword.E003",
    )


def _check_combinations() -> Iterator[checks.CheckMessage]:
    try:
        transport = factory.transport()
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
            f'VOICEPASSWORD["CODE_LENGTH"] is {settings.CODE_LENGTH}: '
            "only the provider makes such a code, and only for a flash call.",
            hint='Set CODE_SOURCE to "service" and leave "voice" out of CHANNELS, '
            "or CODE_LENGTH to 4.",
            id="voicepassword.E005",
        )
    chosen = settings.given.get("LONG_CODE")
    if chosen is not None and chosen <= settings.CODE_LENGTH:
        yield checks.Error(
            f'VOICEPASSWORD["LONG_CODE"] is {chosen}: '
            f"it must be greater than CODE_LENGTH, which is {settings.CODE_LENGTH}.",
            hint="A long code is harder to guess. Set it to None to do without.",
            id="voicepassword.E011",
        )
    if settings.LONG_CODE is not None and "flashcall" not in settings.CHANNELS:
        yield checks.Warning(
            'VOICEPASSWORD["LONG_CODE"] is set, but "flashcall" is not in CHANNELS: '
            "there are no long codes.",
            hint='Only a flash call has a long code. Set LONG_CODE to None, or add "flashcall".',
            id="voicepassword.W018",
        )


def _check_challenge() -> Iterator[checks.CheckMessage]:
    """E012: nobody could solve a challenge of ``contrib.challenges`` without its keys."""
    missing = [name for name in ("site", "secret") if not settings.CHALLENGE_KEYS.get(name)]
    if (settings.CHALLENGE or "").startswith(_CONTRIB_CHALLENGES) and missing:
        yield checks.Error(
            f'VOICEPASSWORD["CHALLENGE_KEYS"] has no {" and no ".join(map(repr, missing))}: '
            "nobody could solve the challenge.",
            hint="Copy both keys from the provider of the challenge; read the secret from the "
            "environment.",
            id="voicepassword.E012",
        )


def _check_imports() -> Iterator[checks.CheckMessage]:
    built_in = {None, "http", "console", "memory", "session", "token", "jwt"}
    for key in ("TRANSPORT", "LOGIN", "BEFORE_SEND", "CHALLENGE"):
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


def _check_addresses() -> Iterator[checks.CheckMessage]:
    if is_plain_http(settings.API_URL):
        yield checks.Error(
            'VOICEPASSWORD["API_URL"] is plain http: the key would travel in it.',
            hint="Write https://.",
            id="voicepassword.E007",
        )
    if settings.CALLBACK_BASE_URL and is_plain_http(settings.CALLBACK_BASE_URL):
        yield checks.Warning(
            'VOICEPASSWORD["CALLBACK_BASE_URL"] is plain http: '
            "reports can be read and changed on their way.",
            hint="Write https://.",
            id="voicepassword.W001",
        )
