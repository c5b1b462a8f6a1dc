"""The staff's part of the API for OpenAPI; see ``schema``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from django_voicepassword.api import schema
from django_voicepassword.api.staff import serializers, views
from django_voicepassword.api.staff.pagination import NEWEST_FIRST, OLDEST_FIRST, CallPagination
from django_voicepassword.models import CallRequest

#: Status -> code -> what it means and what to do.
ERRORS: dict[int, dict[str, str]] = {
    400: {"invalid": "A parameter is not known or its value is not taken; it is named in fields."},
    401: {
        "not_authenticated": "Nobody is logged in. 403 where the project's first authentication is by session.",
        "authentication_failed": "The credentials are wrong. 403 likewise.",
    },
    403: {
        "permission_denied": "Not of the staff, or without the permission that it needs.",
        "not_authenticated": "Nobody is logged in.",
        "authentication_failed": "The credentials are wrong.",
    },
    404: {"not_found": "There is no such row."},
    406: {
        "not_acceptable": "The header Accept leaves out application/json: answers are JSON alone."
    },
    429: {"rate_limited": "A throttle of the project; retry_after says when it opens."},
}
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429],
    description="Whole seconds until it may work.",
)
_EVERY = (
    "invalid",
    "not_authenticated",
    "authentication_failed",
    "permission_denied",
    "not_acceptable",
    "rate_limited",
)


def _query(name: str, told: str, *words: str, kind: Any = str) -> OpenApiParameter:
    return OpenApiParameter(
        name, kind, OpenApiParameter.QUERY, description=told, enum=words or None
    )


def _view(
    name: str, summary: str, answer: Any, *codes: str, parameters: tuple[OpenApiParameter, ...] = ()
) -> None:
    schema.describe_view(
        f"staff.views.{name}",
        "get",
        operation_id="phone_staff_" + name.removesuffix("View").lower(),
        summary=summary,
        description=f"For staff with the permission `{getattr(views, name).permission}`.",
        responses={200: answer, **schema.describe_errors(ERRORS, *_EVERY, *codes)},
        parameters=[*parameters, _RETRY_AFTER],
    )


_DIFFERENCES = [str(one.name).lower() for one in CallRequest.Difference]
_CHANNEL = _query("channel", "One channel; all without it.", *CallRequest.Channel.values)
_FILTERS = (
    _query("state", "One state.", *CallRequest.State.values),
    _CHANNEL,
    _query(
        "origin",
        "Sent by this site, or imported from the daily statistics.",
        *CallRequest.Origin.values,
    ),
    _query("error", "An error code, or any."),
    _query("differs", "What the daily statistics said otherwise.", "any", *_DIFFERENCES),
    _query("from", "The first day, in the site's zone.", kind=OpenApiTypes.DATE),
    _query("to", "The last day.", kind=OpenApiTypes.DATE),
    _query(
        "q",
        "The last digits of a number, a whole number, an id of the provider's or of a verification, a user's name.",
    ),
)
_PAGES = (
    _query("ordering", "Newest first without it.", NEWEST_FIRST, OLDEST_FIRST),
    _query(
        "page_size",
        f"From 1 to {CallPagination.max_page_size}; {CallPagination.page_size} without it.",
        kind=int,
    ),
    _query("cursor", "As it stands in next and previous."),
)
_DAYS = (
    _query(
        "from",
        f"The first day of the provider; at most {views.MOST_DAYS} days.",
        kind=OpenApiTypes.DATE,
    ),
    _query(
        "to",
        f"The last day; {views.USUAL_DAYS} days until today without both.",
        kind=OpenApiTypes.DATE,
    ),
    _query(
        "channel",
        "Our figures of one channel; what the provider told is of all.",
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
    "A call and everything that was reported of it",
    serializers.StaffCallDetailSerializer,
    "not_found",
    parameters=(OpenApiParameter("id", int, OpenApiParameter.PATH),),
)
_view("StatisticsView", "Figures by day", serializers.StaffStatisticsSerializer, parameters=_DAYS)
_view(
    "BalanceView",
    "What the account held last, and until when it will do",
    serializers.StaffBalanceSerializer,
    "not_found",
)
