"""Phone verification and login for programs. Each view parses, calls one verb and answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.utils.http import is_same_domain
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.exceptions import PermissionDenied
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from django_voicepassword import verifications
from django_voicepassword.accounts import devices, login
from django_voicepassword.api import serializers
from django_voicepassword.api.error_body import exception_handler
from django_voicepassword.api.parsers import BoundedJSONParser, Utf8FormParser, Utf8MultiPartParser
from django_voicepassword.models import Verification
from django_voicepassword.security import trusted_devices
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import non_atomic_requests
from django_voicepassword.verifications import challenge
from django_voicepassword.verifications.description import describe

#: The header ``Idempotency-Key`` in ``request.META``.
_IDEMPOTENCY_KEY = "HTTP_IDEMPOTENCY_KEY"
#: The header ``X-VoicePassword-Challenge`` in ``request.META``.
_CHALLENGE = "HTTP_X_VOICEPASSWORD_CHALLENGE"


class VerificationAPIView(APIView):
    """Base class of these views. Anybody may call them, without a cookie or a CSRF token.

    The project's DEFAULT_THROTTLE_CLASSES apply. Its DEFAULT_VERSIONING_CLASS does not: there is
    one version of this API, and the rules of another would refuse its addresses. ``kwargs`` may
    contain a version from the URL.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (BoundedJSONParser, Utf8FormParser, Utf8MultiPartParser)
    renderer_classes = (JSONRenderer,)
    versioning_class = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # Not method_decorator, which would decorate again for each request. Error reports show the
        # variables of every stack frame, and DRF's frames hold the phone and the code many times.
        view = sensitive_post_parameters("phone", "code")(sensitive(super().as_view(**initkwargs)))
        # Exempt from ATOMIC_REQUESTS: an error after a guess would roll back its count.
        return non_atomic_requests(never_cache(view))

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _refuse_foreign_form(request)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Choose JSON at once for the headers that most clients send.

        A project may have changed the view, or how DRF negotiates; then DRF decides as ever.
        """
        is_plain = (
            self.content_negotiation_class is DefaultContentNegotiation
            and type(self).get_renderers is APIView.get_renderers
            and tuple(self.renderer_classes) == (JSONRenderer,)
        )
        is_usual = request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", JSONRenderer.media_type)
        has_format = request.META.get("QUERY_STRING") or getattr(self, "format_kwarg", None)
        if is_plain and is_usual and not has_format:
            return JSONRenderer(), JSONRenderer.media_type
        return super().perform_content_negotiation(request, force)

    def get_exception_handler(self) -> Any:
        return exception_handler

    def read(self, serializer_class: type[Serializer[None]]) -> dict[str, Any]:
        data = self.request.data
        if data is None:
            # JSON's null: run_validation() reports it as a list, is_valid() as a dict of fields.
            serializer_class(data=data).is_valid(raise_exception=True)
        return dict(_form(serializer_class).run_validation(data))

    def read_send(self, serializer_class: type[serializers.SendSerializer]) -> dict[str, Any]:
        """Read a request that rings, and put a solved challenge where CHALLENGE finds it."""
        given = self.read(serializer_class)
        answer = given.pop("challenge") or self.request.META.get(_CHALLENGE)
        challenge.attach(self.request._request, answer)
        return given


class StartView(VerificationAPIView):
    def post(self, request: Request, **kwargs: Any) -> Response:
        given = self.read_send(serializers.StartSerializer)
        verification = verifications.start(
            request=request._request,
            user=getattr(request._request, "user", None),
            idempotency_key=request.META.get(_IDEMPOTENCY_KEY),
            **given,
        )
        return _sent(verification, 201)


class VerificationView(VerificationAPIView):
    def get(self, request: Request, id: str, **kwargs: Any) -> Response:
        return Response(_describe(verifications.get(id)))


class ResendView(VerificationAPIView):
    def post(self, request: Request, id: str, **kwargs: Any) -> Response:
        given = self.read_send(serializers.ResendSerializer)
        verification = verifications.resend(
            id,
            request=request._request,
            idempotency_key=request.META.get(_IDEMPOTENCY_KEY),
            **given,
        )
        return _sent(verification, 200)


class CheckView(VerificationAPIView):
    def post(self, request: Request, id: str, **kwargs: Any) -> Response:
        given = self.read(serializers.CheckSerializer)
        device = devices.ProvedDevice(request._request) if given["remember_device"] else None
        verification = verifications.check(
            id, given["code"], request=request._request, device=device
        )
        proof = verifications.make_proof(verification)
        token = device.token if device else ""
        response = Response({**_describe(verification), "proof": proof, "device": token})
        trusted_devices.set_cookie(request._request, response, token)
        return response


class LoginView(VerificationAPIView):
    def post(self, request: Request, **kwargs: Any) -> Response:
        given = self.read(serializers.LoginSerializer)
        answer, device = login.log_in(
            request._request, given["verification"], given["code"], given["remember_device"]
        )
        response = Response(answer)
        trusted_devices.set_cookie(request._request, response, device)
        return response


@lru_cache
def _form(serializer_class: type[Serializer[None]]) -> Serializer[None]:
    """Return the shared instance of a serializer, which has no state of its own.

    A new instance copies all its fields, which takes as long as a database query.
    """
    return serializer_class()


def _describe(verification: Verification) -> dict[str, Any]:
    description = describe(verification, verification.known_calls)
    return dict(_form(serializers.VerificationSerializer).to_representation(description))  # type: ignore[arg-type]


def _sent(verification: Verification, status: int) -> Response:
    """Answer a request that rings; a repeat of one is answered alike."""
    headers = {"Idempotent-Replayed": "true"} if verification.first_answer else None
    return Response(_describe(verification), status=status, headers=headers)


def _refuse_foreign_form(request: Request) -> None:
    """Refuse a form whose Origin is another site. Raises PermissionDenied.

    Browsers let any site post a form here, but a JSON body only with CORS. Otherwise the page of
    another site could make a visitor's browser call a phone number or log somebody in. An Origin is
    compared as Django's CSRF protection does, with its scheme.
    """
    origin = request.META.get("HTTP_ORIGIN")
    if (
        request.method != "POST"
        or not origin
        or request.content_type.startswith("application/json")
    ):
        return
    own = f"{request._request.scheme}://{request._request.get_host()}"
    if origin != own and not _is_trusted(origin):
        raise PermissionDenied("A form of another site is not accepted: send JSON.")


def _is_trusted(origin: str) -> bool:
    """Does CSRF_TRUSTED_ORIGINS contain an Origin, or a wildcard like ``https://*.example.org``?"""
    try:
        given = urlsplit(origin)
    except ValueError:
        # An Origin that is no URL, like "http://[": no browser sends it.
        return False
    for text in django_settings.CSRF_TRUSTED_ORIGINS:
        trusted = urlsplit(text)
        # "*.example.org" is ".example.org" for Django, which matches the domain itself as well.
        if given.scheme == trusted.scheme and is_same_domain(
            given.netloc, trusted.netloc.removeprefix("*")
        ):
            return True
    return False
