"""POST callback/<token>/: the provider reports the state of a call or an SMS. It records; it never
approves.

The token is made per call request. What comes is untrusted text from outside: it is bounded, read
by ``protocol.reports``, kept, and judged by ``delivery.record``.
"""

from __future__ import annotations

import ipaddress
import logging
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
    """The provider's document names no content type: the view reads the body itself."""

    media_type = "*/*"


class NoNegotiation(BaseContentNegotiation):
    """A report is not lost because its sender asks for HTML, or has a field named ``format``."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        return AnyParser()

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


class CallbackView(APIView):
    """200 for every well-formed report, 400 for an unreadable body, 404 for a bad token, never 500."""

    # Nobody logs in here and nothing is negotiated: the token is all there is.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = NoNegotiation
    versioning_class = None
    schema = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # Not method_decorator, which decorates anew for each request.
        return non_atomic_requests(
            sensitive_post_parameters()(sensitive(super().as_view(**initkwargs)))
        )

    def post(self, request: Request, token: str) -> Response:
        call_id = callback_tokens.parse_callback_token(token)
        if call_id is None or not _is_allowed(request):
            raise NotFound
        body = _read(request)
        if body is None or len(body) > MAX_CALLBACK_BYTES:
            return _error("too_large", f"a report has at most {MAX_CALLBACK_BYTES} bytes", 400)
        return self.keep(call_id, body, request.META.get("CONTENT_TYPE", ""))

    def get(self, request: Request, token: str) -> Response:
        """The document names no method either: a report in the query string is taken too."""
        query = request.META.get("QUERY_STRING", "")
        if not query:
            return self.http_method_not_allowed(request)
        call_id = callback_tokens.parse_callback_token(token)
        if call_id is None or not _is_allowed(request):
            raise NotFound
        if len(query) > MAX_CALLBACK_BYTES:
            return _error("too_large", f"a report has at most {MAX_CALLBACK_BYTES} bytes", 400)
        return self.keep(
            call_id, query.encode("latin-1", "replace"), "application/x-www-form-urlencoded"
        )

    def keep(self, call_id: int, body: bytes, content_type: str) -> Response:
        try:
            report = parse_callback(body, content_type, settings.API_KEY)
        except UnreadableReply:
            logger.warning("a callback for call %s cannot be read", call_id)
            return _error("unreadable", "send one report as a JSON object or a form", 400)
        try:
            recording.record(call_id, report, CallStatus.Source.CALLBACK)
        except (DatabaseError, InterfaceError):
            # The provider may come again; polls and the daily statistics tell the same later.
            logger.exception("a callback for call %s could not be kept", call_id)
            return _error("unavailable", "try again later", 503)
        return Response({"result": "ok"})


def _read(request: Request) -> bytes | None:
    """At most one byte more than is allowed; None where the client went away."""
    try:
        return bytes(request._request.read(MAX_CALLBACK_BYTES + 1))
    except (UnreadablePostError, OSError):
        return None


def _is_allowed(request: Request) -> bool:
    networks: list[Any] = settings.CALLBACK_ALLOWED_IPS
    if not networks:
        return True
    address = client_ip.client_address(request._request)
    if address is None:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)


def _error(code: str, detail: str, status: int) -> Response:
    return Response({"code": code, "detail": detail}, status=status)
