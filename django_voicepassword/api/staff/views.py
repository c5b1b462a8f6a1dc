"""The call history and the books for programs of the staff. Parse, ask one question, answer;
nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.versioning import QueryParameterVersioning
from rest_framework.views import APIView

from django_voicepassword.api.errors import exception_handler
from django_voicepassword.api.staff import serializers
from django_voicepassword.api.staff.figures import figures_of
from django_voicepassword.api.staff.pagination import CallPagination
from django_voicepassword.history import filters
from django_voicepassword.models import BalanceReading, CallRequest
from django_voicepassword.security import audit
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.statistics import forecast, provider_today

#: Days that ``statistics/`` tells of: where nothing is said, and at most.
USUAL_DAYS, MOST_DAYS = 30, 1096
_APP = "django_voicepassword"


class IsStaffWho(BasePermission):
    """Staff with the permission that the view names."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        is_staff = user is not None and user.is_active and getattr(user, "is_staff", False)
        return bool(is_staff and user.has_perm(f"{_APP}.{view.permission}"))


@method_decorator(never_cache, name="dispatch")
# A report of a fault shows the variables of every frame: whole numbers, for who may see them.
@method_decorator(sensitive, name="dispatch")
class StaffAPIView(APIView):
    """What these views share. Authentication, throttles and versioning are the project's own."""

    permission_classes = (IsStaffWho,)
    renderer_classes = (JSONRenderer,)
    #: The permission that it needs.
    permission = ""
    #: The query parameters that it takes; any other is refused: a slip would look like an answer.
    parameters: tuple[str, ...] = ()

    def get_exception_handler(self) -> Any:
        return exception_handler

    def given(self, request: Request) -> dict[str, str]:
        """The query parameters. Raises ValidationError, which names those that are not known or
        stand there twice.
        """
        wrong = {}
        for name, values in request.query_params.lists():
            if name not in self.parameters and name not in self._of_the_framework():
                wrong[name] = [_("Not a parameter of this address.")]
            elif len(values) > 1:
                wrong[name] = [_("Given more than once.")]
        if wrong:
            raise ValidationError(wrong)
        return {
            name: request.query_params[name]
            for name in self.parameters
            if request.query_params.get(name)
        }

    def _of_the_framework(self) -> list[str]:
        """What DRF itself reads of the query: ``?format=json``, and a version where the project has
        it there.
        """
        names = [api_settings.URL_FORMAT_OVERRIDE]
        if self.versioning_class and issubclass(self.versioning_class, QueryParameterVersioning):
            names.append(self.versioning_class.version_param)
        return names


class CallsView(StaffAPIView):
    permission = "view_callrequest"
    parameters = (*filters.FILTERS, "ordering", "page_size", "cursor")

    def get(self, request: Request, **kwargs: Any) -> Response:
        given = self.given(request)
        with _filters_told():
            calls = filters.apply_filters(_calls(), given)
        paginator = CallPagination()
        page = paginator.paginate_queryset(calls, request, self)
        context = _told(request, "api calls", len(page))
        told: Any = serializers.StaffCallSerializer(page, many=True, context=context)  # type: ignore[arg-type]
        return paginator.get_paginated_response(told.data)


class CallView(StaffAPIView):
    permission = "view_callrequest"

    def get(self, request: Request, id: str, **kwargs: Any) -> Response:
        self.given(request)
        # Eighteen digits are a key that every database takes.
        call = (
            _calls().filter(pk=int(id)).first()
            if id.isascii() and id.isdigit() and len(id) < 19
            else None
        )
        if call is None:
            raise Http404
        context = _told(request, f"api call {call.pk}", 1)
        return Response(serializers.StaffCallDetailSerializer(call, context=context).data)


class StatisticsView(StaffAPIView):
    permission = "view_dailystatistics"
    parameters = ("from", "to", "channel")

    def get(self, request: Request, **kwargs: Any) -> Response:
        given = self.given(request)
        with _filters_told():
            first, last = _period(given)
        channel = given.get("channel", "")
        if channel and channel not in CallRequest.Channel.values:
            words = ", ".join(CallRequest.Channel.values)
            raise ValidationError({"channel": [_("One of: %(words)s.") % {"words": words}]})
        days, total = figures_of(first, last, channel)
        return Response(serializers.StaffStatisticsSerializer({"days": days, "total": total}).data)


class BalanceView(StaffAPIView):
    permission = "view_balancereading"

    def get(self, request: Request, **kwargs: Any) -> Response:
        self.given(request)
        reading = BalanceReading.objects.order_by("-read_at").first()
        told = forecast()
        if reading is None or told is None:
            raise Http404
        answer = {
            "balance": reading.balance,
            "currency": reading.currency,
            "read_at": reading.read_at,
            "spend_per_day": told.spend_per_day,
            "ends_on": told.ends_on,
        }
        return Response(serializers.StaffBalanceSerializer(answer).data)


def _calls() -> QuerySet[CallRequest]:
    return CallRequest.objects.select_related("verification__user")


def _told(request: Request, where: str, rows: int) -> dict[str, bool]:
    """Whether the numbers are shown whole; that they are is noted."""
    whole_phones = request.user.has_perm(f"{_APP}.view_full_phone")
    if whole_phones and rows:
        audit.whole_numbers_seen(request.user, where, rows)
    return {"whole_phones": whole_phones}


def _period(given: dict[str, str]) -> tuple[date, date]:
    """The days asked for, both included. Raises InvalidFilter."""
    last = filters.read_day("to", given["to"]) if "to" in given else provider_today()
    first = last - timedelta(days=USUAL_DAYS - 1)
    if "from" in given:
        first = filters.read_day("from", given["from"])
    if first > last:
        raise filters.InvalidFilter(
            "from", _("After the last day, %(day)s.") % {"day": last.isoformat()}
        )
    if (last - first).days >= MOST_DAYS:
        raise filters.InvalidFilter("from", _("At most %(days)d days.") % {"days": MOST_DAYS})
    return first, last


@contextmanager
def _filters_told() -> Iterator[None]:
    """A value that a filter does not take is an error of its field."""
    try:
        yield
    except filters.InvalidFilter as error:
        raise ValidationError({error.name: [str(error)]}) from None
