"""Warnings of ``check --deploy``: settings that are right in development only."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks

from django_voicepassword.checks.rules import is_loopback_url
from django_voicepassword.checks.settings import check_settings
from django_voicepassword.checks.users import bases_of_backend
from django_voicepassword.conf import settings
from django_voicepassword.provider import factory


@checks.register("voicepassword", deploy=True)
def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """W010 to W014, W019 and W020. Without a message while ``check_settings`` has some."""
    if check_settings():
        return []
    messages: list[checks.CheckMessage] = []
    if factory.transport() == "http" and is_loopback_url(settings.API_URL):
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["API_URL"] is an address of this machine: calls go to a sandbox.',
                hint="Remove API_URL: its default is the provider's address.",
                id="voicepassword.W010",
            )
        )
    if factory.transport() in ("console", "memory"):
        messages.append(
            checks.Warning(
                f'VOICEPASSWORD["TRANSPORT"] is "{factory.transport()}": nobody is called.',
                hint='Set API_KEY, and TRANSPORT to "http" or None.',
                id="voicepassword.W011",
            )
        )
    if any(len(code) == 4 for code in settings.TEST_NUMBERS.values()):
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["TEST_NUMBERS"] has a code of four digits: '
                "whoever tries from many addresses finds it.",
                hint="Give it a code of up to 10 digits.",
                id="voicepassword.W013",
            )
        )
    if settings.RETENTION_DAYS is None:
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["RETENTION_DAYS"] is not set: phone numbers and client addresses '
                "are kept for ever, also those of deleted users.",
                hint="Set the number of days after which the task purge deletes or masks them.",
                id="voicepassword.W014",
            )
        )
    if settings.FRAUD_GUARD == "enforce" and settings.CHALLENGE is None:
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["FRAUD_GUARD"] is "enforce" without CHALLENGE: during an attack '
                "people on new devices may be refused, and ten sends close a number to new "
                "devices for the day.",
                hint="Set CHALLENGE to a captcha, for example to "
                '"django_voicepassword.contrib.challenges.turnstile".',
                id="voicepassword.W019",
            )
        )
    backends = django_settings.AUTHENTICATION_BACKENDS
    if settings.DORMANT_AFTER_DAYS is not None and all(map(bases_of_backend, backends)):
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["DORMANT_AFTER_DAYS"] is set, and PhoneBackend is the only one of '
                "AUTHENTICATION_BACKENDS: whoever has a dormant number cannot log in another way "
                "and confirm it.",
                hint="Add a backend for another way, such as ModelBackend; else support has to "
                "release the number.",
                id="voicepassword.W020",
            )
        )
    if settings.USER_PHONE_FIELD and not settings.USER_PHONE_TRUSTED:
        messages.append(
            checks.Warning(
                'VOICEPASSWORD["USER_PHONE_FIELD"] is set without USER_PHONE_TRUSTED: '
                "users whose number was never proved cannot log in by phone.",
                hint="They log in another way and prove it on the page confirm/. Set "
                "USER_PHONE_TRUSTED only if users cannot write a number into the field that the "
                "project has not proved; otherwise silence this check.",
                id="voicepassword.W012",
            )
        )
    return messages
