"""Settings become a client: the only place that knows which one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_voicepassword.conf import settings
from django_voicepassword.provider.client import Client, ConfigurationError
from django_voicepassword.provider.console import ConsoleClient
from django_voicepassword.provider.memory import MemoryClient
from django_voicepassword.security.tracebacks import forgetful


@forgetful
def client(verification: UUID | None = None) -> Client:
    """The client that TRANSPORT names. ``verification``: for whom a call is placed, which only the
    memory notes.

    Raises ImproperlyConfigured naming the setting.
    """
    transport = settings.transport
    if transport == "http":
        return _http_client(settings.API_KEY, settings.API_URL, settings.API_AUTH, _timeout())
    if transport == "memory":
        return cast(Client, MemoryClient(verification))
    if transport == "console":
        return cast(Client, ConsoleClient(verification))
    return _dotted_client(transport)


def is_pretended() -> bool:
    """Does nothing ring, and nothing cost?"""
    return settings.transport in ("memory", "console")


def _timeout() -> tuple[float, float]:
    timeout: Any = settings.TIMEOUT
    try:
        connect, read = timeout
        return float(connect), float(read)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(
            'VOICEPASSWORD["TIMEOUT"] must be two numbers of seconds: (connect, read)'
        ) from None


@lru_cache(maxsize=8)
def _http_client(api_key: str, base_url: str, auth: str, timeout: tuple[float, float]) -> Client:
    # Kept for the life of the process: its connections stay open between calls.
    if not api_key:
        raise ImproperlyConfigured('VOICEPASSWORD["API_KEY"] is missing')
    try:
        return Client(api_key, base_url=base_url, auth=auth, timeout=timeout)
    except ConfigurationError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD: one of "API_KEY", "API_URL", "API_AUTH", "TIMEOUT" is wrong: {error}'
        ) from None


@lru_cache(maxsize=8)
def _dotted_client(path: str) -> Client:
    try:
        return cast(Client, import_string(path)())
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["TRANSPORT"] must be "http", "console", "memory" or the dotted path of a client: {error}'
        ) from None
