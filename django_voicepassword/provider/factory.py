"""Makes the client that the settings ask for. No other module chooses between clients."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from django_voicepassword.conf import is_test_run, settings
from django_voicepassword.provider.client import Client, ConfigurationError, is_loopback
from django_voicepassword.provider.console import ConsoleClient
from django_voicepassword.provider.interface import ProviderClient
from django_voicepassword.provider.memory import MemoryClient
from django_voicepassword.security.tracebacks import clear_frames_on_error


@clear_frames_on_error
def client(verification: UUID | None = None) -> ProviderClient:
    """The client that TRANSPORT names.

    ``verification`` is the id of the verification that a call is placed for. Only the memory and
    console clients record it. Raises ImproperlyConfigured, which names the setting that is wrong.
    """
    chosen = transport()
    if chosen == "http":
        return _http_client(settings.API_KEY, settings.API_URL, settings.API_AUTH, timeout())
    if chosen == "memory":
        return MemoryClient(verification)
    if chosen == "console":
        return ConsoleClient(verification)
    return _dotted_client(chosen)


def transport() -> str:
    """The transport that is used: ``http``, ``console``, ``memory`` or a dotted path.

    In a test run, ``http`` is ``memory``, because a test of the project must not call people. A
    server on this machine is asked, such as the sandbox, and so is the provider where the test
    itself chose ``http``.
    """
    chosen = settings.transport
    if chosen != "http" or not is_test_run() or settings.is_chosen_by_test("TRANSPORT"):
        return chosen
    return chosen if is_loopback(urlsplit(settings.API_URL).hostname or "") else "memory"


def is_pretended() -> bool:
    """Whether TRANSPORT only pretends to call: nothing rings and nothing is paid."""
    return transport() in ("memory", "console")


def timeout() -> tuple[float, float]:
    """TIMEOUT as seconds to connect and to read. Raises ImproperlyConfigured."""
    try:
        connect, read = settings.TIMEOUT
        return float(connect), float(read)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(
            'VOICEPASSWORD["TIMEOUT"] must be two numbers of seconds: (connect, read)'
        ) from None


@lru_cache(maxsize=8)
def _http_client(api_key: str, base_url: str, auth: str, timeout: tuple[float, float]) -> Client:
    # Cached for the life of the process, so that connections stay open between calls.
    if not api_key:
        raise ImproperlyConfigured('VOICEPASSWORD["API_KEY"] is missing')
    try:
        return Client(api_key, base_url=base_url, auth=auth, timeout=timeout)
    except ConfigurationError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD: one of "API_KEY", "API_URL", "API_AUTH", "TIMEOUT" is wrong: {error}'
        ) from None


@lru_cache(maxsize=8)
def _dotted_client(path: str) -> ProviderClient:
    try:
        made: ProviderClient = import_string(path)()
    except ImportError as error:
        raise ImproperlyConfigured(
            'VOICEPASSWORD["TRANSPORT"] must be "http", "console", "memory" or the dotted path of '
            f"a client: {error}"
        ) from None
    return made
