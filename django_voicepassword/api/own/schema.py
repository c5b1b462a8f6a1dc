"""The OpenAPI description of the API of one's own numbers and devices; see ``api.schema``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from django_voicepassword.accounts.confirmation import PROOF_HEADER
from django_voicepassword.api import schema
from django_voicepassword.api.own import serializers
from django_voicepassword.security import trusted_devices

#: HTTP status -> code -> what it means and what to do.
ERRORS: dict[int, dict[str, str]] = {
    400: {
        "invalid_proof": "The proof is not of this site, too old, of another purpose, or used.",
        "invalid": "Fields are missing or wrong; fields names them.",
        "parse_error": "The body cannot be read.",
    },
    401: {
        "not_authenticated": "Nobody is logged in. The status is 403 where the first "
        "authentication class of the project is SessionAuthentication.",
        "authentication_failed": "The credentials are wrong. 403 in the same case.",
    },
    403: {
        "refused": "The number belongs to another user (USER_PHONE_FIELD).",
        "confirmation_required": "Prove one of the person's numbers first: by a login by phone, "
        f"the page confirm/, or a proof in the header {PROOF_HEADER}, at most 600 s ago.",
        "permission_denied": "The request carries no valid CSRF token.",
        "not_authenticated": "Nobody is logged in.",
        "authentication_failed": "The credentials are wrong.",
    },
    404: {"not_found": "This person has no such number or device."},
    406: {
        "not_acceptable": "The header Accept does not include application/json, the only format."
    },
    409: {"last_phone": "Without this number the person could not log in."},
    415: {
        "unsupported_media_type": "The body is neither JSON nor a form, or Content-Type is missing."
    },
    429: {"rate_limited": "A throttle of the project; retry_after says when to try again."},
    503: {"unavailable": "The database does not answer: try again in a minute."},
}
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429],
    description="Seconds until the next request may succeed.",
)
_DEVICE = OpenApiParameter(
    trusted_devices.HEADER,
    str,
    OpenApiParameter.HEADER,
    description="The device that the request comes from. A browser sends the cookie instead.",
)
_PROOF = OpenApiParameter(
    PROOF_HEADER,
    str,
    OpenApiParameter.HEADER,
    description="A proof of one of the person's numbers, where no session knows one.",
)
_COMMON_ERRORS = (
    "not_authenticated",
    "authentication_failed",
    "not_acceptable",
    "rate_limited",
    "unavailable",
)
_WRITING = ("permission_denied",)


def _method(
    name: str, summary: str, answer: dict[int, Any], *codes: str, **schema_of_method: Any
) -> dict[str, Any]:
    parameters = schema_of_method.pop("parameters", [])
    return {
        "operation_id": f"phone_own_{name}",
        "summary": summary,
        "responses": {**answer, **schema.describe_errors(ERRORS, *_COMMON_ERRORS, *codes)},
        "parameters": [*parameters, _RETRY_AFTER],
        **schema_of_method,
    }


def _id(of: str) -> OpenApiParameter:
    return OpenApiParameter("id", str, OpenApiParameter.PATH, description=f"The {of}'s id.")


schema.describe_view(
    "own.views.PhonesView",
    get=_method(
        "phones",
        "The person's own numbers, the latest proved first",
        {200: serializers.OwnPhoneSerializer(many=True)},
    ),
    post=_method(
        "phone_add",
        "Add a number by its proof; with USER_PHONE_FIELD it replaces the one that was there",
        {201: serializers.OwnPhoneSerializer},
        *_WRITING,
        "invalid",
        "parse_error",
        "unsupported_media_type",
        "invalid_proof",
        "refused",
        request=serializers.ProofSerializer,
    ),
)
schema.describe_view(
    "own.views.PhoneView",
    delete=_method(
        "phone_remove",
        "Remove a number; its devices are forgotten",
        {204: None},
        *_WRITING,
        "not_found",
        "confirmation_required",
        "last_phone",
        parameters=[_id("number"), _PROOF],
    ),
)
schema.describe_view(
    "own.views.DevicesView",
    get=_method(
        "devices",
        "The trusted devices of the person's numbers, the latest used first",
        {200: serializers.OwnDeviceSerializer(many=True)},
        parameters=[_DEVICE],
    ),
    delete=_method(
        "devices_forget_others",
        "Forget all devices but the one that the request comes from",
        {204: None},
        *_WRITING,
        parameters=[_DEVICE],
    ),
)
schema.describe_view(
    "own.views.DeviceView",
    delete=_method(
        "device_forget",
        "Forget a device",
        {204: None},
        *_WRITING,
        "not_found",
        parameters=[_id("device")],
    ),
)
