"""The client: bytes leave here, and nowhere else. Knows no Django.

    from django_voicepassword.client import Client

    client = Client(api_key)
    reply = client.flash_call("79999999999", code="1234")

Every error is one of ``django_voicepassword.exceptions.ProviderError``, or
``protocol.InvalidRequest`` before anything is sent. No request is ever sent twice.
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
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

import ijson
import requests
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from django_voicepassword import protocol, transport
from django_voicepassword.exceptions import ProviderError, Unreachable, UnreadableReply
from django_voicepassword.hiding import Secret, forgetful, forgetful_rows
from django_voicepassword.protocol import Balance, DailyRow, JsonGuard, Report, SendReply

DEFAULT_URL = "https://vp.voicepassword.ru/api/voice-password/"
DEFAULT_TIMEOUT = (3.05, 15)
#: An answer is some 200 bytes; daily statistics are streamed and have no such bound.
MAX_ANSWER_BYTES = 65536
#: Rows of daily statistics that could not be read and are kept, masked, to be shown.
MAX_UNREADABLE_KEPT = 20

_CHUNK = 65536
_SCALARS = frozenset({"string", "number", "boolean", "null"})

Row = TypeVar("Row")
#: Where a row of ``daily`` begins: in the list, or in place of it.
_ROW_STARTS = {("data", "start_map"), ("data.item", "start_map"), ("data.item", "start_array")}


class ConfigurationError(ValueError):
    """The client cannot be made as asked; the message names the argument and repeats no key."""


class Client:
    """Talks to the provider with one API key. Safe for threads and forks: each has a session of its
    own.

    ``auth``: "header" (the key raw in ``Authorization``) or "body" (``security.apiKey``).
    ``timeout``: seconds to connect and to wait for each read; head and body of an answer may each
    take no longer than twice the second.
    """

    @forgetful
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

    @forgetful
    def flash_call(
        self,
        number: str,
        code: str | None = None,
        capacity: int | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` from a number that ends with ``code``, or with ``capacity`` digits that
        the provider makes.
        """
        return self._send(
            protocol.encode_flash_call(number, code, capacity, callback_url), code, number
        )

    @forgetful
    def voice_call(
        self,
        number: str,
        code: str | None = None,
        repeat: bool = False,
        ani: str | None = None,
        callback_url: str | None = None,
    ) -> SendReply:
        """Call ``number`` and say ``code``, or the provider's own; ``repeat``: twice; ``ani``: from
        this number.
        """
        return self._send(
            protocol.encode_voice_call(number, code, repeat, ani, callback_url), code, number
        )

    @forgetful
    def sms(self, request_id: str) -> SendReply:
        """Send the code of an earlier request as text."""
        return self._send(protocol.encode_sms(request_id))

    @forgetful
    def balance(self) -> Balance:
        """What the account holds."""
        return protocol.parse_balance(
            self._read(self._post("get/", protocol.encode_balance())), self._api_key
        )

    @forgetful
    def state(self, request_id: str) -> Report:
        """What became of one request."""
        return protocol.parse_state(
            self._read(self._post("get/", protocol.encode_state(request_id))), self._api_key
        )

    @forgetful
    def daily(self, date: datetime.date) -> DailyReport:
        """The statistics of one day of the provider, streamed: iterate once."""
        return DailyReport(self._post("get/", protocol.encode_daily(date)), self._api_key)

    def _send(self, body: dict[str, Any], *secrets: str | None) -> SendReply:
        return protocol.parse_send(self._read(self._post("send/", body)), self._api_key, *secrets)

    def _post(self, path: str, body: dict[str, Any]) -> requests.Response:
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
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
            # `from None`: the foreign exception carries the request, and with it the key and the
            # code.
            raise _unreachable(error) from None
        if response.status_code >= 500:
            response.close()
            raise Unreachable(f"the provider answered {response.status_code}", may_have_rung=True)
        if 300 <= response.status_code < 400:
            response.close()
            raise UnreadableReply(
                f"the provider answered {response.status_code}: a redirect is not followed"
            )
        return response

    def _read(self, response: requests.Response) -> bytes:
        """The whole answer, bounded in size and in time."""
        deadline = time.monotonic() + 2 * self._timeout[1]
        body = b""
        try:
            # read1 returns what is there: a server that drips cannot hold us beyond the deadline.
            while chunk := response.raw.read1(_CHUNK):
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
            raise Unreachable("the answer broke off", may_have_rung=True)
        response.close()
        return body

    def _session(self) -> requests.Session:
        if self._given_session is not None:
            return self._given_session
        kept: tuple[int, requests.Session] | None = getattr(self._local, "session", None)
        if kept is None or kept[0] != os.getpid():
            # A connection inherited by a fork would be read by two processes.
            kept = (os.getpid(), transport.make_session())
            self._local.session = kept
        return kept[1]


class DailyReport:
    """The rows of a day, streamed in constant memory. Iterate once; then ask what could not be
    read.
    """

    def __init__(self, response: requests.Response, api_key: str) -> None:
        self._response = response
        self._api_key = api_key
        #: How many rows the provider says there are; None where it does not say.
        self.rows: int | None = None
        self.read = 0
        self.unreadable = 0
        #: The first of the rows that could not be read, masked.
        self.unreadable_rows: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[Report]:
        return forgetful_rows(self._read_all(lambda row: protocol.parse_report(row, self._api_key)))

    def lean(self) -> Iterator[DailyRow]:
        """The same as tuples, many times as fast."""
        return forgetful_rows(self._read_all(protocol.RowReader(self._api_key).read))

    def _read_all(self, read: Callable[[Any], Row]) -> Iterator[Row]:
        """Each row as ``read`` makes it; what it cannot read is counted. Raises ProviderError."""
        head: dict[str, Any] = {}
        try:
            for value in self._rows(head):
                try:
                    row = read(value)
                except ProviderError:
                    self._keep_unreadable(value)
                else:
                    self.read += 1
                    yield row
        except (HTTPError, OSError):
            raise Unreachable(
                "the connection broke while the statistics were read", may_have_rung=False
            ) from None
        except (ijson.JSONError, ValueError, ArithmeticError):
            # ArithmeticError: 1e9 with another ten digits behind it is a number of JSON's, and of
            # nobody else's.
            raise UnreadableReply("the statistics are no complete JSON") from None
        finally:
            self._response.close()
        told = str(head.get("rows", "")).strip()
        if told.isascii() and told.isdigit():
            self.rows = int(told[:12])
        result = str(head.get("result", "")).strip().casefold()
        if result == "error":
            protocol.raise_refusal(head, self._api_key)
        if result != "ok":
            raise UnreadableReply('the statistics have neither result "ok" nor "error"')

    def _keep_unreadable(self, value: Any) -> None:
        self.unreadable += 1
        if len(self.unreadable_rows) < MAX_UNREADABLE_KEPT:
            raw = value if isinstance(value, dict) else {"row": value}
            self.unreadable_rows.append(protocol.mask_payload(raw, self._api_key))

    def _rows(self, head: dict[str, Any]) -> Iterator[Any]:
        """The values of ``data`` one by one; the scalars beside it go into ``head``."""
        source = _Source(self._response.raw)
        if _opens_list(source.first, head):
            # The usual form: whole rows are built in C.
            yield from ijson.items(source, "data.item", buf_size=_CHUNK)
            _read_after_list(source.last, head)
            return
        for place, value in self._values(source):
            if place == "row":
                yield value
            else:
                head[place] = value

    def _values(self, source: _Source) -> Iterator[tuple[str, Any]]:
        """``("row", one row)`` for each of ``data``, and ``(key, value)`` for the scalars beside
        it.
        """
        builder, inside = None, ""
        for prefix, event, value in ijson.parse(source, buf_size=_CHUNK):
            if builder is not None:
                builder.event(event, value)
                if prefix == inside and event in ("end_map", "end_array"):
                    yield "row", builder.value
                    builder = None
            elif (prefix, event) in _ROW_STARTS:
                builder, inside = ijson.ObjectBuilder(), prefix
                builder.event(event, value)
            elif prefix == "data.item" and event in _SCALARS:
                yield "row", value
            elif event in _SCALARS and "." not in prefix:
                yield prefix.strip().casefold(), value


class _Source:
    """A stream that keeps its first and its last bytes: what stands before and after the list of a
    day.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._guard = JsonGuard()
        self.first = self._next()
        self._pending = self.first
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if size == 0:
            return b""
        chunk, self._pending = self._pending or self._next(), b""
        # Two chunks: a list may end with the one before.
        self.last = (self.last + chunk)[-2 * _CHUNK :]
        return chunk

    def _next(self) -> bytes:
        chunk: bytes = self._raw.read(_CHUNK) or b""
        self._guard.look(chunk)
        return chunk


def _opens_list(first: bytes, head: dict[str, Any]) -> bool:
    """Does a list ``data`` begin within ``first``? The scalars before it go into ``head``."""
    events = ijson.sendable_list()
    reader = ijson.parse_coro(events)
    try:
        reader.send(first)
    except (ijson.JSONError, ValueError):
        pass
    scalars: dict[str, Any] = {}
    for prefix, event, value in events:
        if prefix == "data" and event == "start_array":
            head.update(scalars)
            return True
        if event in _SCALARS and prefix and "." not in prefix:
            scalars[prefix.strip().casefold()] = value
    return False


def _read_after_list(last: bytes, head: dict[str, Any]) -> None:
    """What stands behind the list: ``], "rows": "2"}``. The list itself ends at the last bracket."""
    rest = last[last.rfind(b"]") + 1 :].strip().lstrip(b",")
    try:
        values = json.loads(b"{" + rest)
    except ValueError:
        return
    head.update({str(key).strip().casefold(): value for key, value in values.items()})


def _unreachable(error: requests.RequestException) -> Unreachable:
    cause: Any = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Unreachable("no connection to the provider", may_have_rung=False)
    if isinstance(error, requests.exceptions.SSLError):
        # Only a refused certificate is surely from before the request left.
        refused = any(
            isinstance(one, ssl.SSLCertVerificationError) for one in getattr(reason, "args", ())
        )
        return Unreachable("the TLS connection failed", may_have_rung=not refused)
    if isinstance(reason, (NewConnectionError, NameResolutionError)):
        return Unreachable("the connection was refused", may_have_rung=False)
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable("no answer in time", may_have_rung=True)
    return Unreachable("the connection broke", may_have_rung=True)


def _check_key(api_key: Any) -> None:
    if not isinstance(api_key, str) or not api_key:
        raise ConfigurationError("api_key is missing")
    if not (api_key.isascii() and api_key.isprintable()) or api_key != api_key.strip():
        raise ConfigurationError(
            "api_key has characters that no header can carry: copy it anew, without spaces"
        )


def _check_url(base_url: Any) -> None:
    try:
        parts = urlsplit(base_url)
        host, user, _ = parts.hostname, parts.username or parts.password, parts.port
    except (ValueError, TypeError, AttributeError):
        host, user, parts = None, None, urlsplit("")
    if not host or user or parts.query or parts.fragment or parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            "base_url must be an absolute address, as https://example.org/api/"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError("base_url must be https: the key would travel in the clear")


def is_loopback(host: str) -> bool:
    """Is it this machine, where plain http is safe? Exact names and addresses only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_timeout(timeout: Any) -> tuple[float, float]:
    try:
        connect, read = (float(one) for one in timeout)
    except (TypeError, ValueError):
        connect = read = math.nan
    if not (0 < connect < math.inf and 0 < read < math.inf):
        raise ConfigurationError("timeout must be two positive numbers of seconds: (connect, read)")
    return connect, read
