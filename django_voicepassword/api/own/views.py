"""The numbers and the trusted devices of the logged-in person."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from django_voicepassword.accounts import confirmation, devices, own_phones
from django_voicepassword.api.error_body import exception_handler
from django_voicepassword.api.own import serializers
from django_voicepassword.api.parsers import BoundedJSONParser, Utf8FormParser, Utf8MultiPartParser
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import non_atomic_requests


class OwnAPIView(APIView):
    """Base of these views. Authentication and throttles are those of the project.

    There is one version of this API, so the project's versioning does not apply.
    """

    permission_classes = (IsAuthenticated,)
    parser_classes = (BoundedJSONParser, Utf8FormParser, Utf8MultiPartParser)
    renderer_classes = (JSONRenderer,)
    versioning_class = None

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        view = sensitive_post_parameters("proof")(sensitive(super().as_view(**initkwargs)))
        return non_atomic_requests(never_cache(view))

    def get_exception_handler(self) -> Any:
        return exception_handler


class PhonesView(OwnAPIView):
    def get(self, request: Request, **kwargs: Any) -> Response:
        rows: Any = own_phones.of_user(request.user)
        return Response(serializers.OwnPhoneSerializer(rows, many=True).data)

    def post(self, request: Request, **kwargs: Any) -> Response:
        given = serializers.ProofSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row: Any = own_phones.add(request.user, given.validated_data["proof"])
        return Response(serializers.OwnPhoneSerializer(row).data, status=201)


class PhoneView(OwnAPIView):
    def delete(self, request: Request, id: str, **kwargs: Any) -> Response:
        try:
            own_phones.get(request.user, id)
            _require_confirmation(request)
            own_phones.remove(request.user, id)
        except VerifiedPhone.DoesNotExist:
            raise Http404 from None
        return Response(status=204)


class DevicesView(OwnAPIView):
    def get(self, request: Request, **kwargs: Any) -> Response:
        found: Any = devices.of_user(request.user, request._request)
        return Response(serializers.OwnDeviceSerializer(found, many=True).data)

    def delete(self, request: Request, **kwargs: Any) -> Response:
        devices.forget_others(request.user, request._request)
        return Response(status=204)


class DeviceView(OwnAPIView):
    def delete(self, request: Request, id: str, **kwargs: Any) -> Response:
        try:
            devices.forget(request.user, id)
        except TrustedDevice.DoesNotExist:
            raise Http404 from None
        return Response(status=204)


def _require_confirmation(request: Request) -> None:
    """Raise PermissionDenied unless the person has lately proved one of their own numbers."""
    django_request = request._request
    # DRF may have authenticated the user by a token, which Django's request does not know.
    django_request.user = request.user
    if not confirmation.is_confirmed(django_request, own_phones.MAX_AGE):
        raise PermissionDenied(_("Confirm your phone number first."), "confirmation_required")
