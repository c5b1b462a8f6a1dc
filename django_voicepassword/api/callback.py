"""``callback/<token>/``: the provider reports the state of a call or an SMS.

A report is recorded and never approves a verification. The token belongs to one call request. The
body is untrusted: its size is bounded, ``provider.protocol`` parses it, and ``calls.recording``
stores it and decides whether it changes the call.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import UnreadablePostError
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_voicepassword.calls import recording
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.limits import client_ip
from django_voicepassword.models import CallStatus
from django_voicepassword.provider.protocol import MAX_CALLBACK_BYTES, parse_callback
from django_voicepassword.security import callback_tokens
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import non_atomic_requests

logger = logging.getLogger(__name__)


class AnyParser(BaseParser):
    """Accepts any content type: the provider's document names none. The view reads the body."""

    media_type = "*/*"


class NoNegotiation(BaseContentNegotiation):
    """Always answers JSON, so that an ``Accept`` header or a ``format`` field refuses no report."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return AnyParser()

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


class CallbackView(APIView):
    """Answers 200 to a well-formed report, 400 to an unreadable body, 404 to a bad token,
    also to that of a call that has been final for seven days.

    It never answers 500; while the database is unavailable it answers 503.
    """

    # The token is the only authentication.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = NoNegotiation
    versioning_class = None
    schema = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # Not method_decorator, which would decorate again for each request.
        return non_atomic_requests(
            sensitive_post_parameters()(sensitive(super().as_view(**initkwargs)))
        )

    def post(self, request: Request, token: str) -> Response:
        call_id = _find_call_id(request, token)
        body = _read_body(request)
        if body is None or len(body) > MAX_CALLBACK_BYTES:
            return _too_large()
        return self.record(call_id, body)

    def get(self, request: Request, token: str) -> Response:
        """Take a report from the query string: the provider's document names no method either."""
        query = request.META.get("QUERY_STRING", "")
        if not query:
            return self.http_method_not_allowed(request)
        call_id = _find_call_id(request, token)
        if len(query) > MAX_CALLBACK_BYTES:
            return _too_large()
        return self.record(call_id, _query_bytes(query))

    def record(self, call_id: int, body: bytes) -> Response:
        try:
            report = parse_callback(body, settings.API_KEY)
        except UnreadableReply:
            logger.warning("a callback for call %s cannot be read", call_id)
            if recording.callbacks_end(call_id):
                raise NotFound from None
            return _error("unreadable", "send one report as a JSON object or a form", 400)
        try:
            recording.record(call_id, report, CallStatus.Source.CALLBACK)
        except recording.CallbackEnded:
            raise NotFound from None
        except (DatabaseError, InterfaceError):
            # The provider may repeat it; otherwise a poll or the daily statistics report the state.
            logger.exception("a callback for call %s could not be stored", call_id)
            return _error("unavailable", "try again later", 503)
        return Response({"result": "ok"})


def _find_call_id(request: Request, token: str) -> int:
    """The call of ``token``. Raises NotFound: the token is bad or the address is not allowed."""
    call_id = callback_tokens.parse_callback_token(token)
    if call_id is None or not _is_allowed(request):
        raise NotFound
    return call_id


def _is_allowed(request: Request) -> bool:
    """Does the request come from CALLBACK_ALLOWED_IPS?"""
    networks: list[str] = settings.CALLBACK_ALLOWED_IPS
    if not networks:
        return True
    address = client_ip.client_address(request._request)
    if address is None:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)


def _read_body(request: Request) -> bytes | None:
    """Read at most one byte more than the limit; None if the client disconnected."""
    try:
        return bytes(request._request.read(MAX_CALLBACK_BYTES + 1))
    except (UnreadablePostError, OSError):
        return None


def _query_bytes(query: str) -> bytes:
    """The bytes of a query string: WSGI servers decode them as latin-1, ASGI servers as UTF-8."""
    try:
        return query.encode("latin-1")
    except UnicodeEncodeError:
        return query.encode("utf-8", "replace")


def _too_large() -> Response:
    return _error("too_large", f"a report has at most {MAX_CALLBACK_BYTES} bytes", 400)


def _error(code: str, detail: str, status: int) -> Response:
    return Response({"code": code, "detail": detail}, status=status)
