"""OpenAPI descriptions of the API for drf-spectacular: every answer, error and header.

``apps`` imports this module if the project has drf-spectacular. Importing it defines one extension
class for each view, and drf-spectacular registers those by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.views import APIView

from django_voicepassword.api.serializers import (
    DEVICE_HELP,
    ApprovedSerializer,
    CheckSerializer,
    ErrorSerializer,
    LoginSerializer,
    ResendSerializer,
    StartSerializer,
    VerificationSerializer,
)
from django_voicepassword.security import trusted_devices
from django_voicepassword.verifications.challenge import MOST_CHARACTERS

_TAG = "phone"
_ID = OpenApiParameter(
    "id",
    str,
    OpenApiParameter.PATH,
    description="The verification's id, a secret of whoever started it.",
)
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429, 503],
    description="Seconds to wait before the next try. With 503 only if they are known.",
)
_DEVICE = OpenApiParameter(
    trusted_devices.HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The device that the last check or login answered, if any. A browser sends the "
    "cookie instead.",
)

#: The headers of the two requests that ring.
_SEND = [
    OpenApiParameter(
        "X-VoicePassword-Challenge",
        {"type": "string", "maxLength": MOST_CHARACTERS},
        OpenApiParameter.HEADER,
        description="What the widget of the challenge gave, where the body has no challenge.",
    ),
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[!-~]+$"},
        OpenApiParameter.HEADER,
        description=(
            "A random text, for example a UUID4. A request that is repeated with the same key and "
            "body rings nobody again, and is answered like the first one."
        ),
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 201],
        description="This is the answer to a request that was repeated.",
    ),
]

#: Status -> code -> its meaning and what to do about it.
ERRORS: dict[int, dict[str, str]] = {
    400: {
        "invalid_phone": "The text is not a phone number.",
        "prefix_not_allowed": "Numbers of this country, operator or kind are not called.",
        "channel_unavailable": "This channel cannot be used now: see next_channels.",
        "wrong_code": "The code is wrong; attempts_left is the number of guesses that remain.",
        "invalid_idempotency_key": "The key must have 16 to 128 visible ASCII characters.",
        "invalid": "Fields are missing or wrong; fields names them.",
        "parse_error": "The body cannot be read.",
    },
    403: {
        "refused": "The project refused the request, or nobody may log in with this number.",
        "challenge_required": (
            "A challenge must be solved first: send the request again with what its widget gave. "
            "challenge names its provider and the site key, where they are known."
        ),
        "permission_denied": "The request is a form of another site: send JSON.",
    },
    404: {"not_found": "There is no verification with this id."},
    406: {
        "not_acceptable": "The header Accept excludes application/json, the only format of answers."
    },
    409: {"verification_closed": "The verification was already approved or canceled."},
    410: {"verification_expired": "The verification has expired: start a new one."},
    415: {
        "unsupported_media_type": "The body is neither JSON nor a form, or Content-Type is missing."
    },
    422: {"idempotency_conflict": "This key came with another body: send a new key."},
    429: {
        "rate_limited": "A limit is reached; limit names it, retry_after is the wait in seconds.",
        "too_many_attempts": "No guess is left; the verification ends in retry_after seconds.",
    },
    503: {
        "budget_exhausted": "The daily budget is spent.",
        "unavailable": (
            "The queue, the database or the provider does not answer: try again in a minute. "
            "Or the provider refuses the site's account: try again later. The detail says which."
        ),
    },
}
_VERIFICATION = {
    "id": "1b0c2a4e-6f53-4c0f-9a8f-0d2f8f6b7c11",
    "phone": "+7 *** ***-**-67",
    "purpose": "login",
    "status": "pending",
    "channel": "flashcall",
    "delivery": "placed",
    "code_length": 4,
    "hint": (
        "We are calling +7 *** ***-**-67. Do not answer: "
        "the code is the last 4 digits of the number that calls."
    ),
    "attempts_left": 5,
    "expires_at": "2026-05-01T12:05:00Z",
    "resend_at": "2026-05-01T12:01:00Z",
    "next_channels": ["voice", "sms"],
}


class LoggedInSerializer(serializers.Serializer[None]):
    """The setting LOGIN decides: the user of a session, a token, or a pair of tokens."""

    user = serializers.DictField(required=False, help_text="id and username, with LOGIN session.")
    token = serializers.CharField(required=False, help_text="With LOGIN token.")
    access = serializers.CharField(required=False, help_text="With LOGIN jwt.")
    refresh = serializers.CharField(required=False, help_text="With LOGIN jwt.")
    device = serializers.CharField(help_text=DEVICE_HELP)


def describe_errors(
    errors: Mapping[int, Mapping[str, str]], *codes: str
) -> dict[int, OpenApiResponse]:
    """Return the responses for ``codes``. ``errors``: status -> code -> description."""
    responses = {}
    for status, descriptions in errors.items():
        described = {code: text for code, text in descriptions.items() if code in codes}
        if described:
            responses[status] = OpenApiResponse(
                ErrorSerializer,
                description="\n".join(f"- `{code}`: {text}" for code, text in described.items()),
                examples=[
                    OpenApiExample(code, value={"code": code, "detail": text})
                    for code, text in described.items()
                ],
            )
    return responses


def describe_view(target: str, **methods: Mapping[str, Any]) -> None:
    """Describe the methods of a view, named as ``views.StartView``: arguments of extend_schema.

    The extension is found by its base class, so nothing keeps a reference to it.
    """
    name = target.rpartition(".")[2]

    def replacement(extension: OpenApiViewExtension) -> type[APIView]:
        view = extension.target
        described = {
            method: extend_schema(tags=[_TAG], **schema)(getattr(view, method))
            for method, schema in methods.items()
        }
        return type(name, (view,), described)

    type(
        f"{name}Extension",
        (OpenApiViewExtension,),
        {"target_class": f"django_voicepassword.api.{target}", "view_replacement": replacement},
    )


def _errors(*codes: str) -> dict[int, OpenApiResponse]:
    return describe_errors(ERRORS, *codes)


def _view(name: str, method: str, **schema: Any) -> None:
    describe_view(f"views.{name}", **{method: {"auth": [], **schema}})


_ALWAYS = (
    "invalid",
    "parse_error",
    "permission_denied",
    "not_acceptable",
    "unsupported_media_type",
    "rate_limited",
)
_SENDING = (
    *_ALWAYS,
    "invalid_idempotency_key",
    "idempotency_conflict",
    "channel_unavailable",
    "refused",
    "challenge_required",
    "budget_exhausted",
    "unavailable",
)
_GUESSING = (
    *_ALWAYS,
    "wrong_code",
    "not_found",
    "verification_closed",
    "verification_expired",
    "too_many_attempts",
)

_view(
    "StartView",
    "post",
    operation_id="phone_verification_start",
    summary="Start a verification: the number is called",
    request=StartSerializer,
    responses={
        201: OpenApiResponse(
            VerificationSerializer, examples=[OpenApiExample("started", value=_VERIFICATION)]
        ),
        **_errors(*_SENDING, "invalid_phone", "prefix_not_allowed"),
    },
    parameters=[*_SEND, _DEVICE, _RETRY_AFTER],
)
_view(
    "VerificationView",
    "get",
    operation_id="phone_verification_read",
    summary="Read a verification",
    responses={
        200: VerificationSerializer,
        **_errors("not_found", "not_acceptable", "rate_limited"),
    },
    parameters=[_ID, _RETRY_AFTER],
)
_view(
    "ResendView",
    "post",
    operation_id="phone_verification_resend",
    summary="Send the code again, by the next channel or the one named",
    request=ResendSerializer,
    responses={
        200: VerificationSerializer,
        **_errors(
            *_SENDING,
            "prefix_not_allowed",
            "not_found",
            "verification_closed",
            "verification_expired",
            "too_many_attempts",
        ),
    },
    parameters=[_ID, *_SEND, _DEVICE, _RETRY_AFTER],
)
_view(
    "CheckView",
    "post",
    operation_id="phone_verification_check",
    summary="Check the code: the right one approves the verification once and gives a proof",
    request=CheckSerializer,
    responses={200: ApprovedSerializer, **_errors(*_GUESSING)},
    parameters=[_ID, _DEVICE, _RETRY_AFTER],
)
_view(
    "LoginView",
    "post",
    operation_id="phone_login",
    summary="Check the code and log in, in one step",
    request=LoginSerializer,
    responses={200: LoggedInSerializer, **_errors(*_GUESSING, "refused")},
    parameters=[_DEVICE, _RETRY_AFTER],
)
