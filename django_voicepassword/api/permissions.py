"""DRF's permission for views that only somebody with a proved phone may call."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from django_voicepassword.accounts import confirmation


class PhoneVerified(BasePermission):
    """Who is logged in proved their phone; ``permission_classes = [PhoneVerified.within(600)]``: in
    the last 600 seconds.

    Told by the session (a login by phone, the page ``confirm/``) or by the header
    ``X-VoicePassword-Proof``, which holds the ``proof`` that ``verifications/<id>/check/``
    answered. Others get 403 with code ``phone_not_verified``.
    """

    max_age: float | None = None
    message = _("Confirm your phone number first.")
    code = "phone_not_verified"

    @classmethod
    def within(cls, max_age: float) -> type[PhoneVerified]:
        """This permission with an age in seconds."""
        return type(cls.__name__, (cls,), {"max_age": max_age})

    def has_permission(self, request: Request, view: Any) -> bool:
        django_request = request._request
        # Who DRF authenticated, by a token as well as by the session.
        django_request.user = request.user
        return confirmation.is_confirmed(django_request, self.max_age)
