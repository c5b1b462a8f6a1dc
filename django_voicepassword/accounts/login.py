"""Log a user in by phone: the same step for the pages and the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.contrib.auth import authenticate, get_backends, get_user_model, login
from django.core.exceptions import ImproperlyConfigured
from django.db import router
from django.http import HttpRequest
from django.utils.module_loading import import_string

from django_voicepassword import verifications
from django_voicepassword.accounts import confirmation, devices
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import retry

#: Where PhoneBackend leaves its LoginResult: ``authenticate()`` returns nothing but the user.
RESULT_ATTRIBUTE = "voicepassword_result"


def written_user(user_id: Any) -> Any:
    """The user in the database that users are written to; None if they are read there anyway.

    The user of a first login may not be in the replica yet when the next request reads the session.
    """
    model = get_user_model()
    database = router.db_for_write(model)
    if router.db_for_read(model) == database:
        return None
    return model._default_manager.using(database).filter(pk=user_id).first()


@dataclass(frozen=True)
class LoginResult:
    """What PhoneBackend found: the verification that it approved, or the error that refused it."""

    verification: Verification | None = None
    error: VerificationError | Verification.DoesNotExist | None = None


@dataclass(frozen=True)
class PhoneLogin:
    """A right code: the user of the number, and the verification that the code approved."""

    #: An instance of the project's AUTH_USER_MODEL.
    user: Any
    verification: Verification


@sensitive
def authenticate_phone(request: HttpRequest, verification_id: UUID | str, code: str) -> PhoneLogin:
    """Check a code with Django's ``authenticate()``; the session is not touched.

    Raises what ``verifications.check`` raises, and Refused.
    """
    setattr(request, RESULT_ATTRIBUTE, LoginResult())
    user = authenticate(request, verification=verification_id, voicepassword_code=code)
    result: LoginResult = getattr(request, RESULT_ATTRIBUTE)
    if user is not None:
        # A backend of the project's own may leave no result.
        return PhoneLogin(user, result.verification or verifications.get(verification_id))
    if result.error is not None:
        raise result.error
    if any(takes_phone_code(backend) for backend in get_backends()):
        # An earlier backend raised PermissionDenied, as packages against password guessing do.
        raise Refused("another authentication backend denied the login")
    raise ImproperlyConfigured(
        'no backend answered: put "django_voicepassword.backends.PhoneBackend" into '
        "AUTHENTICATION_BACKENDS"
    )


def takes_phone_code(backend: Any) -> bool:
    """Does an authentication backend accept the credentials of a phone login?"""
    return "voicepassword_code" in signature(backend.authenticate).parameters


@sensitive
def log_in(
    request: HttpRequest, verification_id: UUID | str, code: str, remember_device: bool = True
) -> tuple[dict[str, Any], str]:
    """Check a code and log the user in as LOGIN says: the JSON to answer, and the device's token.

    The token is "" without ``remember_device``: the device is not the person's own.
    Raises what ``authenticate_phone`` raises.
    """
    # Resolved before the code is spent: a missing package must not cost anybody a code.
    answer = find_answer()
    approved = authenticate_phone(request, verification_id, code)
    answered = answer(request, approved.user, approved.verification)
    device = ""
    if remember_device:
        device = devices.remember(request, approved.verification.phone, approved.user)
    # A function of the project's own may answer a "device" of its own.
    return {**answered, "device": answered.get("device", device)}, device


def log_in_session(request: HttpRequest, approved: PhoneLogin) -> None:
    """Django's ``login()``, and the session notes that the number was verified."""
    # The code is spent by now, and Django writes last_login only once.
    retry(lambda: login(request, approved.user), router.db_for_write(get_user_model()))
    confirmation.remember(request, approved.verification)


Answer = Callable[[HttpRequest, Any, Verification], dict[str, Any]]


def find_answer() -> Answer:
    """The function that makes the answer of LOGIN. Raises ImproperlyConfigured."""
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
            'VOICEPASSWORD["LOGIN"] must be "session", "token", "jwt" or the dotted path of a '
            f"callable: {error}"
        ) from error


def _session_answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
    log_in_session(request, PhoneLogin(user, verification))
    return {"user": {"id": user.pk, "username": user.get_username()}}


def _token_answer(kind: str) -> Answer:
    if not apps.is_installed("rest_framework.authtoken"):
        raise ImproperlyConfigured(
            f'VOICEPASSWORD["LOGIN"] is "{kind}": put "rest_framework.authtoken" into '
            "INSTALLED_APPS"
        )
    from rest_framework.authtoken.models import Token

    def answer(request: HttpRequest, user: Any, verification: Verification) -> dict[str, Any]:
        database = router.db_for_write(Token)
        token, _ = retry(lambda: Token.objects.get_or_create(user=user), database)
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
