"""The API for OpenAPI, through drf-spectacular where the project has it: every answer, error and
header described.

The views know nothing of it: each has an extension here, found by drf-spectacular once ``apps`` has
imported this.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from django_voicepassword.api.serializers import (
    ApprovedSerializer,
    CheckSerializer,
    ErrorSerializer,
    LoginSerializer,
    ResendSerializer,
    StartSerializer,
    VerificationSerializer,
)

_TAG = "phone"
_ID = OpenApiParameter(
    "id",
    str,
    OpenApiParameter.PATH,
    description="The verification's id: a secret of who started it.",
)
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429, 503],
    description="Whole seconds until it may work. With 503 only where that is known.",
)

#: Status -> code -> what it means and what to do.
ERRORS: dict[int, dict[str, str]] = {
    400: {
        "invalid_phone": "The text is no phone number.",
        "prefix_not_allowed": "Numbers of this country or operator are not called.",
        "channel_unavailable": "This channel cannot be used now: see next_channels.",
        "wrong_code": "The code is another one; attempts_left says how many guesses remain.",
        "invalid": "Fields are missing or wrong; they are named in fields.",
        "parse_error": "The body cannot be read.",
    },
    403: {
        "refused": "The project does not want it, or nobody may log in with this number.",
        "permission_denied": "A form of another site: send JSON.",
    },
    404: {"not_found": "There is no verification with this id."},
    406: {
        "not_acceptable": "The header Accept leaves out application/json: answers are JSON alone."
    },
    409: {"verification_closed": "It was approved or canceled already."},
    410: {"verification_expired": "Its time is over: start anew."},
    415: {"unsupported_media_type": "The body is neither JSON nor a form, or has no Content-Type."},
    429: {
        "rate_limited": "A limit is reached, named in limit; retry_after says when it opens.",
        "too_many_attempts": "No guess is left; retry_after says when the verification ends.",
    },
    503: {
        "budget_exhausted": "The day's money is spent.",
        "unavailable": "The queue, the database or the provider does not answer: try again in a minute.",
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
    "hint": "We are calling +7 *** ***-**-67. Do not answer: the code is the last 4 digits of the number that calls.",
    "attempts_left": 5,
    "expires_at": "2026-05-01T12:05:00Z",
    "resend_at": "2026-05-01T12:01:00Z",
    "next_channels": ["voice", "sms"],
}


class LoggedInSerializer(serializers.Serializer[None]):
    """What the setting LOGIN chooses: a session with its user, a token, or a pair of tokens."""

    user = serializers.DictField(required=False, help_text="id and username, with LOGIN session.")
    token = serializers.CharField(required=False, help_text="With LOGIN token.")
    access = serializers.CharField(required=False, help_text="With LOGIN jwt.")
    refresh = serializers.CharField(required=False, help_text="With LOGIN jwt.")


def describe_errors(errors: dict[int, dict[str, str]], *codes: str) -> dict[Any, Any]:
    """The answers of those ``codes`` that ``errors`` knows."""
    answers: dict[Any, Any] = {}
    for status, told in errors.items():
        given = [code for code in told if code in codes]
        if given:
            answers[status] = OpenApiResponse(
                ErrorSerializer,
                description="\n".join(f"- `{code}`: {told[code]}" for code in given),
                examples=[
                    OpenApiExample(code, value={"code": code, "detail": told[code]})
                    for code in given
                ],
            )
    return answers


def describe_view(target: str, method: str, **schema: Any) -> None:
    """Describe one view by its name: ``views.StartView``."""
    name = target.rpartition(".")[2]

    def replacement(extension: OpenApiViewExtension) -> Any:
        view = extension.target
        return type(
            name, (view,), {method: extend_schema(tags=[_TAG], **schema)(getattr(view, method))}
        )

    type(
        f"{name}Extension",
        (OpenApiViewExtension,),
        {"target_class": f"django_voicepassword.api.{target}", "view_replacement": replacement},
    )


def _errors(*codes: str) -> dict[Any, Any]:
    return describe_errors(ERRORS, *codes)


def _view(name: str, method: str, **schema: Any) -> None:
    describe_view(f"views.{name}", method, auth=[], **schema)


_EVERY = (
    "invalid",
    "parse_error",
    "permission_denied",
    "not_acceptable",
    "unsupported_media_type",
    "rate_limited",
)
_SENDS = (*_EVERY, "channel_unavailable", "refused", "budget_exhausted", "unavailable")
_GUESSES = (
    *_EVERY,
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
    summary="Start: the number is called",
    request=StartSerializer,
    responses={
        201: OpenApiResponse(
            VerificationSerializer, examples=[OpenApiExample("started", value=_VERIFICATION)]
        ),
        **_errors(*_SENDS, "invalid_phone", "prefix_not_allowed"),
    },
    parameters=[_RETRY_AFTER],
)
_view(
    "VerificationView",
    "get",
    operation_id="phone_verification_read",
    summary="How it stands",
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
    summary="Send the code once more, by the next channel or the one named",
    request=ResendSerializer,
    responses={
        200: VerificationSerializer,
        **_errors(
            *_SENDS, "not_found", "verification_closed", "verification_expired", "too_many_attempts"
        ),
    },
    parameters=[_ID, _RETRY_AFTER],
)
_view(
    "CheckView",
    "post",
    operation_id="phone_verification_check",
    summary="Check the code: the right one approves, once, and gives a proof",
    request=CheckSerializer,
    responses={200: ApprovedSerializer, **_errors(*_GUESSES)},
    parameters=[_ID, _RETRY_AFTER],
)
_view(
    "LoginView",
    "post",
    operation_id="phone_login",
    summary="Check the code and log in, in one step",
    request=LoginSerializer,
    responses={200: LoggedInSerializer, **_errors(*_GUESSES, "refused")},
    parameters=[_RETRY_AFTER],
)
