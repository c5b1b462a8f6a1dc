"""DRF permission for views that require a proved phone number."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from django_voicepassword.accounts import confirmation


class IsPhoneVerified(BasePermission):
    """Allows a logged-in person who proved their phone number and still has it.

    ``permission_classes = [IsPhoneVerified.within(600)]`` asks for a proof of the last 600 seconds.
    The proof is in the session, after a login by phone or the page ``confirm/``, or in the header
    ``X-VoicePassword-Proof``: the ``proof`` from the answer of ``verifications/<id>/check/``.
    Anybody else gets 403 with the code ``phone_not_verified``.
    """

    max_age: float | None = None
    message = _("Confirm your phone number first.")
    code = "phone_not_verified"

    @classmethod
    def within(cls, max_age: float) -> type[IsPhoneVerified]:
        """Return this permission with a greatest age of the proof in seconds."""
        return type(cls.__name__, (cls,), {"max_age": max_age})

    def has_permission(self, request: Request, view: APIView) -> bool:
        django_request = request._request
        # DRF may have authenticated the user by a token, which Django's request does not know.
        django_request.user = request.user
        return confirmation.is_confirmed(django_request, self.max_age)
