"""The authentication backend: who types the right code is the user whose number it is.

Put it beside the backend of your passwords::

    AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django_voicepassword.backends.PhoneBackend",
    ]
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from django_voicepassword import verifications
from django_voicepassword.accounts import users
from django_voicepassword.accounts.login import RESULT_ATTRIBUTE, LoginResult
from django_voicepassword.exceptions import Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive


class PhoneBackend(ModelBackend):
    """``authenticate(request, verification=id, voicepassword_code=code)`` gives the user, or None.

    The request then has ``voicepassword_result``: its ``verification`` is the approved one, its
    ``error`` says why nobody was logged in. To make users in a way of your own,
    subclass it, override ``create_user`` and name your class in AUTHENTICATION_BACKENDS.
    """

    @sensitive
    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        verification: UUID | str | None = None,
        voicepassword_code: str | None = None,
        **credentials: Any,
    ) -> Any:
        if verification is None or voicepassword_code is None:
            return None
        try:
            approved = verifications.check(
                verification,
                voicepassword_code,
                request=request,
                purpose="login",
                find_user=self.find_user,
            )
        except (VerificationError, Verification.DoesNotExist) as error:
            self._leave(request, LoginResult(error=error))
            return None
        self._leave(request, LoginResult(approved))
        return approved.user

    @staticmethod
    def _leave(request: HttpRequest | None, result: LoginResult) -> None:
        if request is not None:
            setattr(request, RESULT_ATTRIBUTE, result)

    def find_user(self, verification: Verification) -> Any:
        """The user who may log in by this approved verification, made where there is none. Raises
        Refused.
        """
        user = users.find(verification.phone) or users.create(verification.phone, self.create_user)
        if user is None or not self.user_can_authenticate(user):
            # One answer for both: who asks learns nothing about who has an account.
            raise Refused("nobody may log in with this number")
        return user

    def create_user(self, phone: str) -> Any:
        """Make the user of a number that logs in for the first time (E.164 digits); None: nobody is
        made.

        The hook to override. It runs in a transaction; the number is attached to the user
        afterwards.
        """
        return users.make(phone)
