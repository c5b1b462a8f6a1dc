"""The OpenAPI description of the staff API; see ``api.schema``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import Serializer

from django_voicepassword.api import schema
from django_voicepassword.api.staff import serializers, views
from django_voicepassword.api.staff.pagination import NEWEST_FIRST, OLDEST_FIRST, CallPagination
from django_voicepassword.history import period
from django_voicepassword.models import CallRequest

#: HTTP status -> code -> what it means and what to do.
ERRORS: dict[int, dict[str, str]] = {
    400: {"invalid": "A parameter is unknown or has an invalid value; fields names it."},
    401: {
        "not_authenticated": "Nobody is logged in. The status is 403 where the first "
        "authentication class of the project is SessionAuthentication.",
        "authentication_failed": "The credentials are wrong. 403 in the same case.",
    },
    403: {
        "permission_denied": "The user is not staff, or lacks the permission.",
        "not_authenticated": "Nobody is logged in.",
        "authentication_failed": "The credentials are wrong.",
    },
    404: {"not_found": "There is no such row."},
    406: {
        "not_acceptable": "The header Accept does not include application/json, the only format."
    },
    429: {
        "rate_limited": "A throttle of the project, or too many searches for whole numbers (limit "
        "searches); retry_after says when to try again."
    },
}
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429],
    description="Seconds until the next request may succeed.",
)
_COMMON_ERRORS = (
    "invalid",
    "not_authenticated",
    "authentication_failed",
    "permission_denied",
    "not_acceptable",
    "rate_limited",
)


def _query(
    name: str, description: str, *values: str, type: type | OpenApiTypes = str
) -> OpenApiParameter:
    return OpenApiParameter(
        name, type, OpenApiParameter.QUERY, description=description, enum=values or None
    )


def _view(
    name: str,
    summary: str,
    answer: type[Serializer[Any]],
    *codes: str,
    parameters: tuple[OpenApiParameter, ...] = (),
) -> None:
    schema.describe_view(
        f"staff.views.{name}",
        get={
            "operation_id": "phone_staff_" + name.removesuffix("View").lower(),
            "summary": summary,
            "description": f"For staff with the permission `{getattr(views, name).permission}`.",
            "responses": {200: answer, **schema.describe_errors(ERRORS, *_COMMON_ERRORS, *codes)},
            "parameters": [*parameters, _RETRY_AFTER],
        },
    )


_DIFFERENCES = [str(flag.name).lower() for flag in CallRequest.Difference]
_CHANNEL = _query("channel", "A channel. Default: all.", *CallRequest.Channel.values)
_FILTERS = (
    _query("state", "A state.", *CallRequest.State.values),
    _CHANNEL,
    _query(
        "origin",
        "Sent by this site, or imported from the daily statistics.",
        *CallRequest.Origin.values,
    ),
    _query("error", "An error code, or any for all calls with an error."),
    _query(
        "differs",
        "Calls where the daily statistics differ in this value.",
        "any",
        *_DIFFERENCES,
    ),
    _query("from", "The first day, in the site's time zone.", type=OpenApiTypes.DATE),
    _query("to", "The last day, included.", type=OpenApiTypes.DATE),
    _query(
        "q",
        "The last two to four digits of a number (more with view_full_phone), a whole number, the "
        "provider's id of a call, the id of a verification, or the name of a user.",
    ),
)
_PAGES = (
    _query("ordering", "Default: newest first.", NEWEST_FIRST, OLDEST_FIRST),
    _query(
        "page_size",
        f"From 1 to {CallPagination.max_page_size}. Default: {CallPagination.page_size}.",
        type=int,
    ),
    _query("cursor", "Taken from next or previous."),
)
_DAYS = (
    _query(
        "from",
        f"The first day, in the provider's time zone. At most {period.MAX_DAYS} days.",
        type=OpenApiTypes.DATE,
    ),
    _query(
        "to",
        f"The last day, included. Default: {period.DEFAULT_DAYS} days up to today.",
        type=OpenApiTypes.DATE,
    ),
    _query(
        "channel",
        "Limits our figures to a channel; the provider's statistics are of all.",
        *CallRequest.Channel.values,
    ),
)

_view(
    "CallsView",
    "Calls, newest first",
    serializers.StaffCallPageSerializer,
    parameters=(*_FILTERS, *_PAGES),
)
_view(
    "CallView",
    "A call and every report about it",
    serializers.StaffCallDetailSerializer,
    "not_found",
    parameters=(OpenApiParameter("id", int, OpenApiParameter.PATH),),
)
_view("StatisticsView", "Figures by day", serializers.StaffStatisticsSerializer, parameters=_DAYS)
_view(
    "BalanceView",
    "The newest balance, and how long it will last",
    serializers.StaffBalanceSerializer,
    "not_found",
)
