"""From a right code to somebody who is logged in: one step for every surface."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.contrib.auth import authenticate, get_backends, login
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.module_loading import import_string

from django_voicepassword import verifications
from django_voicepassword.accounts import confirmation
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Refused
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive


@sensitive
def authenticate_phone(request: HttpRequest, verification_id: UUID | str, code: str) -> Any:
    """The user whose number the right code proved. Raises what ``verifications.check`` raises, and
    Refused.
    """
    request.voicepassword_error = None  # type: ignore[attr-defined]
    request.voicepassword_verification = None  # type: ignore[attr-defined]
    user = authenticate(request, verification=verification_id, voicepassword_code=code)
    if user is not None:
        return user
    error = request.voicepassword_error  # type: ignore[attr-defined]
    if error is not None:
        raise error
    if any(
        "voicepassword_code" in signature(backend.authenticate).parameters
        for backend in get_backends()
    ):
        # A backend before ours said that nobody may log in now, as those against password guessing
        # do.
        raise Refused("another authentication backend denied the login")
    raise ImproperlyConfigured(
        'no backend answered: put "django_voicepassword.backends.PhoneBackend" into AUTHENTICATION_BACKENDS'
    )


@sensitive
def log_in(
    request: HttpRequest, verification_id: UUID | str, code: str
) -> tuple[dict[str, Any], Verification]:
    """Check the code, log its holder in as LOGIN says, and give the JSON to answer and what was
    approved.
    """
    answer = _answer()
    user = authenticate_phone(request, verification_id, code)
    # A backend of the project's own may leave none.
    verification = request.voicepassword_verification or verifications.get(verification_id)  # type: ignore[attr-defined]
    return answer(request, user, verification), verification


def log_in_session(request: HttpRequest, user: Any, verification: Verification) -> None:
    """Django's own login: a new session key and Django's signal; the session remembers that a
    number was proved.
    """
    login(request, user)
    confirmation.remember(request, verification)


Answer = Callable[[HttpRequest, Any, Verification], dict[str, Any]]


def _answer() -> Answer:
    """Resolved before the code is spent: a missing package costs nobody a code."""
    kind = settings.LOGIN
    if kind == "session":
        return _session_answer
    if kind == "token":
        return _token_answer(kind)
    if kind == "jwt":
        return _jwt_answer(kind)
    try:
        return cast(Answer, import_string(kind))
    except ImportError as error:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["LOGIN"] must be "session", "token", "jwt" or the dotted path of a callable: {error}'
        ) from error


def _session_answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
    log_in_session(request, user, verification)
    return {"user": {"id": user.pk, "username": user.get_username()}}


def _token_answer(kind: str) -> Answer:
    if not apps.is_installed("rest_framework.authtoken"):
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["LOGIN"] is "{kind}": put "rest_framework.authtoken" into INSTALLED_APPS'
        )
    from rest_framework.authtoken.models import Token

    def answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
        token, _ = Token.objects.get_or_create(user=user)
        return {"token": token.key}

    return answer


def _jwt_answer(kind: str) -> Answer:
    try:
        from rest_framework_simplejwt.tokens import RefreshToken
    except ImportError:
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["LOGIN"] is "{kind}": install djangorestframework-simplejwt'
        ) from None

    def answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
        refresh = RefreshToken.for_user(user)
        return {"access": str(refresh.access_token), "refresh": str(refresh)}

    return answer
