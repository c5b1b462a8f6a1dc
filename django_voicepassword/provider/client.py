"""The HTTP client, the only module that sends the API key. Needs no Django.

``django_voicepassword.client`` is its public name and shows how to use it. Every error is a
``django_voicepassword.exceptions.ProviderError``, or a ``protocol.InvalidRequest`` that is raised
before anything is sent. The client never sends a request twice.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import math
import os
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from django_voicepassword.exceptions import Unreachable, UnreadableReply
from django_voicepassword.provider import http_session, protocol
from django_voicepassword.provider.daily_report import DailyReport
from django_voicepassword.provider.protocol import Balance, Body, Report, SendReply
from django_voicepassword.security.tracebacks import Secret, clear_frames_on_error

DEFAULT_URL = "https://vp.voicepassword.ru/api/voice-password/"
DEFAULT_TIMEOUT = (3.05, 15)
#: A usual answer has 200 bytes. The limit does not apply to daily statistics, which are streamed.
MAX_ANSWER_BYTES = 65536


class ConfigurationError(ValueError):
    """An argument of Client is wrong. The message names it and never contains the API key."""


class Client:
    """Sends requests to the provider with one API key.

    Safe for threads and forks: each thread and each process has its own session. A ``session`` of
    the caller's is used as it is.

    ``auth`` is "header" (the key as it is in ``Authorization``) or "body" (``security.apiKey``).
    ``timeout`` has the seconds to wait for a connection and for each read. The headers of an answer
    may take twice the read timeout, and so may its body.
    """

    @clear_frames_on_error
    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_URL,
        auth: str = "header",
        timeout: tuple[float, float] = DEFAULT_TIMEOUT,
        session: requests.Session | None = None,
    ) -> None:
        _check_key(api_key)
        _check_url(base_url)
        if auth not in ("header", "body"):
            raise ConfigurationError('auth must be "header" or "body"')
        self._api_key = Secret(api_key)
        self._base_url = base_url.rstrip("/")
        self._auth = auth
        self._timeout = _check_timeout(timeout)
        self._given_session = session
        self._local = threading.local()

    def __repr__(self) -> str:
        return f"<Client {self._base_url}>"

    @clear_frames_on_error
    def flash_call(
        self,
        number: str,
        code: str | None = None,
        capacity: int | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` from a number whose last digits are ``code``.

        Without ``code`` the provider makes a code of ``capacity`` digits; the reply has it.
        """
        return self._send(
            protocol.encode_flash_call(number, code, capacity, callback_url), code, number
        )

    @clear_frames_on_error
    def voice_call(
        self,
        number: str,
        code: str | None = None,
        repeat: bool = False,
        ani: str | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` and let a robot say ``code``, twice if ``repeat`` is true.

        ``ani`` is the number to call from. Without ``code`` the provider makes one.
        """
        return self._send(
            protocol.encode_voice_call(number, code, repeat, ani, callback_url), code, number
        )

    @clear_frames_on_error
    def sms(self, request_id: str) -> SendReply:
        """Send the code of the call with this id as an SMS."""
        return self._send(protocol.encode_sms(request_id))

    @clear_frames_on_error
    def balance(self) -> Balance:
        """Ask for the balance of the account."""
        return protocol.parse_balance(
            self._read(self._post("get/", protocol.encode_balance())), self._api_key
        )

    @clear_frames_on_error
    def state(self, request_id: str) -> Report:
        """Ask for the state of one call or SMS."""
        return protocol.parse_state(
            self._read(self._post("get/", protocol.encode_state(request_id))), self._api_key
        )

    @clear_frames_on_error
    def daily(self, date: datetime.date) -> DailyReport:
        """Read the statistics of one of the provider's days as a stream: iterate once."""
        return DailyReport(self._post("get/", protocol.encode_daily(date)), self._api_key)

    def _send(self, body: Body, *secrets: str | None) -> SendReply:
        response = self._post("send/", body, *secrets)
        return protocol.parse_send(self._read(response), self._api_key, *secrets)

    def _post(self, path: str, body: Body, *secrets: str | None) -> requests.Response:
        headers = {
            "Content-Type": "application/json",
            "Charset": "utf-8",
            "Accept-Encoding": "identity",
        }
        if self._auth == "header":
            headers["Authorization"] = self._api_key
        else:
            body = {"security": {"apiKey": self._api_key}, **body}
        try:
            response = self._session().post(
                f"{self._base_url}/{path}",
                data=json.dumps(body).encode(),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            # `from None`: this exception holds the request, and so the API key and the code.
            raise _unreachable(error) from None
        if response.status_code >= 500:
            self._raise_refusal(response, *secrets)
            raise Unreachable(f"the provider answered {response.status_code}", may_have_rung=True)
        if 300 <= response.status_code < 400:
            response.close()
            raise UnreadableReply(
                f"the provider answered {response.status_code}: a redirect is not followed"
            )
        return response

    def _raise_refusal(self, response: requests.Response, *secrets: str | None) -> None:
        """Raise ProviderRefused if the body of an answer with status 5xx is an error object."""
        with suppress(Unreachable, UnreadableReply):
            protocol.parse_object(self._read(response), self._api_key, *secrets)

    def _read(self, response: requests.Response) -> bytes:
        """Read the whole body, within limits of size and time."""
        deadline = time.monotonic() + 2 * self._timeout[1]
        body = b""
        try:
            # read1() returns the bytes that have arrived, so a slow server cannot keep us from
            # checking the deadline.
            while chunk := response.raw.read1(http_session.CHUNK):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    response.close()
                    raise UnreadableReply(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    response.close()
                    raise Unreachable("the answer does not end", may_have_rung=True)
        except (HTTPError, OSError):
            response.close()
            raise Unreachable(
                "the connection broke while the answer was read", may_have_rung=True
            ) from None
        expected = response.headers.get("Content-Length", "")
        if expected.isascii() and expected.isdigit() and len(body) < int(expected[:12]):
            raise Unreachable("the answer is incomplete", may_have_rung=True)
        response.close()
        return body

    def _session(self) -> requests.Session:
        if self._given_session is not None:
            return self._given_session
        process, session = getattr(self._local, "session", (None, None))
        if session is None or process != os.getpid():
            # After a fork, parent and child would read from the same connection.
            session = http_session.make_session(has_same_headers=True)
            self._local.session = (os.getpid(), session)
        return session


def _unreachable(error: requests.RequestException) -> Unreachable:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Unreachable("no connection to the provider", may_have_rung=False)
    if isinstance(error, requests.exceptions.SSLError):
        # Only if we refused the certificate is it certain that the request was not sent.
        is_refused = any(
            isinstance(argument, ssl.SSLCertVerificationError)
            for argument in getattr(reason, "args", ())
        )
        return Unreachable("the TLS connection failed", may_have_rung=not is_refused)
    if isinstance(reason, (NewConnectionError, NameResolutionError)):
        return Unreachable("the connection was refused", may_have_rung=False)
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable("no answer in time", may_have_rung=True)
    return Unreachable("the connection broke", may_have_rung=True)


def _check_key(api_key: object) -> None:
    if not isinstance(api_key, str) or not api_key:
        raise ConfigurationError("api_key is missing")
    if not (api_key.isascii() and api_key.isprintable()) or api_key != api_key.strip():
        raise ConfigurationError(
            "api_key has characters that no header can carry: copy it again, without spaces"
        )


def _check_url(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        host, user, _ = parts.hostname, parts.username or parts.password, parts.port
    except (ValueError, TypeError, AttributeError):
        host, user, parts = None, None, urlsplit("")
    if not host or user or parts.query or parts.fragment or parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            "base_url must be an absolute URL, for example https://example.org/api/"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError("base_url must be https, because plain http would expose the key")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine, where plain http is safe.

    Only ``localhost`` and addresses count; other names are not resolved.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_timeout(timeout: tuple[float, float]) -> tuple[float, float]:
    try:
        connect, read = (float(seconds) for seconds in timeout)
    except (TypeError, ValueError):
        connect = read = math.nan
    if not (0 < connect < math.inf and 0 < read < math.inf):
        raise ConfigurationError("timeout must be two positive numbers of seconds: (connect, read)")
    return connect, read
