"""The authentication backend: the right code logs in the user who has the phone number.

Add it beside the backend that checks passwords::

    AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "django_voicepassword.backends.PhoneBackend",
    ]
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from django_voicepassword import verifications
from django_voicepassword.accounts import new_users, proofs, users
from django_voicepassword.accounts.login import RESULT_ATTRIBUTE, LoginResult, written_user
from django_voicepassword.exceptions import DormantPhone, Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive


class PhoneBackend(ModelBackend):
    """``authenticate(request, verification=id, voicepassword_code=code)`` returns a user or None.

    It also sets ``voicepassword_result`` on the request: ``verification`` is the approved
    verification, ``error`` is the reason why nobody was logged in. To create users in another way,
    subclass it, override ``create_user`` and put the subclass into AUTHENTICATION_BACKENDS.
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
            if isinstance(error, DormantPhone):
                proofs.announce_dormant(verifications.get(verification).phone, request)
            self._leave(request, LoginResult(error=error))
            return None
        self._leave(request, LoginResult(approved))
        return approved.user

    @sensitive_variables()
    async def aauthenticate(  # type: ignore[override]
        self, request: HttpRequest | None, **credentials: Any
    ) -> Any:
        """Do what ``authenticate`` does, in a thread: ModelBackend's own checks a password."""
        return await sync_to_async(self.authenticate)(request, **credentials)

    def get_user(self, user_id: Any) -> Any:
        """Return the user of a session, also one whom a replica does not have yet, or None."""
        found = super().get_user(user_id)
        if found is not None:
            return found
        user = written_user(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    async def aget_user(self, user_id: Any) -> Any:
        """Do what ``get_user`` does, in a thread."""
        return await sync_to_async(self.get_user)(user_id)

    @staticmethod
    def _leave(request: HttpRequest | None, result: LoginResult) -> None:
        if request is not None:
            setattr(request, RESULT_ATTRIBUTE, result)

    def find_user(self, verification: Verification) -> Any:
        """Return the user whom this approved verification logs in; a new number gets a new user.

        Raises Refused.
        """
        phone = verification.phone
        found = users.find(phone)
        user = found or users.create(phone, self.create_user)
        if user is None or not self.user_can_authenticate(user) or not users.may_log_in(user):
            # The same error in all cases: it must not reveal whether the number has an account.
            raise Refused("nobody may log in with this number")
        if found is not None:
            proofs.renew(user, phone)
        return user

    def create_user(self, phone: str) -> Any:
        """Create the user for a first login by ``phone`` (E.164 digits); None creates no user.

        Override this method to create users in another way. It runs in a transaction, and the
        number is attached to the user afterwards.
        """
        return new_users.make(phone)
