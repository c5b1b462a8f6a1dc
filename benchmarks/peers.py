"""Other packages beside the app, in the same run: which there are, and the requests to them.

``peer_site`` has their routes. Nothing of them is imported before the requests are made, so this
module can be imported without the extra ``peers``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

#: A WSGI environment, and the status of the answer that is expected.
Request = tuple[dict[str, Any], int]
Post = Callable[..., Request]

PACKAGES = ("django-allauth", "django-otp", "django-phone-verify")
APPS = (
    "allauth",
    "allauth.account",
    "allauth.headless",
    "django_otp",
    "django_otp.plugins.otp_email",
    "phone_verify",
)
#: allauth wants to see it in MIDDLEWARE when Django starts; ``peer_site`` puts it around its views.
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"
SETTINGS: dict[str, Any] = {
    "ACCOUNT_ADAPTER": "benchmarks.peer_site.Adapter",
    "ACCOUNT_LOGIN_METHODS": {"phone"},
    "ACCOUNT_SIGNUP_FIELDS": ["phone*"],
    "ACCOUNT_LOGIN_BY_CODE_ENABLED": True,
    "ACCOUNT_EMAIL_VERIFICATION": "none",
    "HEADLESS_ONLY": True,
    "HEADLESS_CLIENTS": ("app",),
    "PHONE_VERIFICATION": {
        "BACKEND": "benchmarks.peer_site.Backend",
        "OPTIONS": {},
        "TOKEN_LENGTH": 6,
        "MESSAGE": "{app}: {security_code}",
        "APP_NAME": "benchmarks",
        "SECURITY_CODE_EXPIRATION_SECONDS": 300,
        "VERIFY_SECURITY_CODE_ONLY_ONCE": True,
    },
}
CODE = "123456"


def missing() -> list[str]:
    """Return the packages that are not installed."""
    return [package for package in PACKAGES if _version(package) is None]


def titles() -> dict[str, str]:
    """Return the name of each package in the table: with its version."""
    return {package: f"{package} {_version(package)}" for package in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def phone_verify_starts(post: Post, phones: Sequence[str]) -> list[Request]:
    path = "/peers/phone-verify/phone/register"
    return [post(path, {"phone_number": f"+{phone}"}) for phone in phones]


def phone_verify_checks(post: Post, phones: Sequence[str]) -> list[Request]:
    from phone_verify.models import SMSVerification

    from benchmarks.peer_site import Backend

    made = [
        SMSVerification(
            phone_number=f"+{phone}",
            security_code=CODE,
            session_token=Backend.generate_session_token(f"+{phone}"),
        )
        for phone in phones
    ]
    SMSVerification.objects.bulk_create(made)
    return [
        post(
            "/peers/phone-verify/phone/verify",
            {
                "phone_number": f"+{phone}",
                "session_token": one.session_token,
                "security_code": CODE,
            },
        )
        for phone, one in zip(phones, made, strict=True)
    ]


def otp_checks(post: Post, users: Sequence[Any]) -> list[Request]:
    from django.utils import timezone
    from django_otp.plugins.otp_email.models import EmailDevice

    ends = timezone.now() + timedelta(seconds=300)
    made = EmailDevice.objects.bulk_create(
        [EmailDevice(user=user, name="phone", token=CODE, valid_until=ends) for user in users]
    )
    return [
        post(
            "/peers/otp/check/",
            {"user": device.user_id, "device": device.persistent_id, "code": CODE},
        )
        for device in made
    ]


def allauth_starts(post: Post, users: Sequence[Any]) -> list[Request]:
    """The answer 401 says that a code is to be typed now."""
    path = "/peers/allauth/code/request/"
    return [post(path, {"phone": f"+{user.username}"}, 401) for user in users]


def allauth_logins(post: Post, users: Sequence[Any]) -> list[Request]:
    """Each begins with a start of its own, which is not measured."""
    from benchmarks.peer_site import sent

    made = []
    for user, (environ, _) in zip(users, allauth_starts(post, users), strict=True):
        token = _answer(environ)["meta"]["session_token"]
        code = sent.pop(f"+{user.username}")
        confirm, expected = post("/peers/allauth/code/confirm/", {"code": code})
        made.append(({**confirm, "HTTP_X_SESSION_TOKEN": token}, expected))
    return made


def _answer(environ: dict[str, Any]) -> Any:
    response = WSGIHandler()(environ, lambda *given: lambda data: None)
    return json.loads(b"".join(response))
