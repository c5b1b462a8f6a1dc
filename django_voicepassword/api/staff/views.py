"""Read-only endpoints for staff: the call history, the statistics and the balance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
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

from django_voicepassword.api.error_body import exception_handler
from django_voicepassword.api.staff import serializers
from django_voicepassword.api.staff.figures import figures_of
from django_voicepassword.api.staff.pagination import CallPagination
from django_voicepassword.history import Reader, filters, period
from django_voicepassword.models import BalanceReading, CallRequest
from django_voicepassword.security import audit
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.statistics import forecast, provider_today

_APP = "django_voicepassword"


class IsStaffWithPermission(BasePermission):
    """Allows staff with the permission that the view names."""

    def has_permission(self, request: Request, view: StaffAPIView) -> bool:  # type: ignore[override]
        user = request.user
        is_staff = user is not None and user.is_active and getattr(user, "is_staff", False)
        return bool(is_staff and user.has_perm(f"{_APP}.{view.permission}"))


@method_decorator(never_cache, name="dispatch")
# An error report shows the variables of every stack frame: whole numbers, if the user may see them.
@method_decorator(sensitive, name="dispatch")
class StaffAPIView(APIView):
    """Base of these views. Authentication and throttles are those of the project.

    There is one version of this API, so the project's versioning does not apply.
    """

    permission_classes = (IsStaffWithPermission,)
    renderer_classes = (JSONRenderer,)
    versioning_class = None
    #: The permission that the user needs.
    permission = ""
    #: The known query parameters. Any other one is an error: if a misspelled filter were ignored,
    #: the answer would look right.
    parameters: tuple[str, ...] = ()

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        return exception_handler

    def read_query(self, request: Request) -> dict[str, str]:
        """Return the query parameters that have a value.

        Raises ValidationError, which names the parameters that are unknown or given twice.
        """
        errors = {}
        for name, values in request.query_params.lists():
            if name not in self.parameters and name not in self._framework_parameters():
                errors[name] = [_("Not a parameter of this address.")]
            elif len(values) > 1:
                errors[name] = [_("Given more than once.")]
        if errors:
            raise ValidationError(errors)
        return {
            name: request.query_params[name]
            for name in self.parameters
            if request.query_params.get(name)
        }

    def _framework_parameters(self) -> list[str]:
        """Return what DRF reads: ``?format=json``, and a version if the project has it there."""
        names = [api_settings.URL_FORMAT_OVERRIDE]
        # The stubs say that it is a path; DRF has imported it.
        versioning: Any = api_settings.DEFAULT_VERSIONING_CLASS
        if versioning and issubclass(versioning, QueryParameterVersioning):
            names.append(versioning.version_param)
        return names


class CallsView(StaffAPIView):
    permission = "view_callrequest"
    parameters = (*filters.FILTERS, "ordering", "page_size", "cursor")

    def get(self, request: Request, **kwargs: Any) -> Response:
        query = self.read_query(request)
        try:
            calls = filters.apply_filters(_calls(), query, Reader(request.user, "api calls"))
        except filters.InvalidFilter as error:
            raise ValidationError({error.name: [str(error)]}) from None
        paginator = CallPagination()
        page = paginator.paginate_queryset(calls, request, self)
        context = _phone_context(request, "api calls", len(page))
        # The stubs do not know that many=True takes a list.
        serializer = serializers.StaffCallSerializer(page, many=True, context=context)  # type: ignore[arg-type]
        return paginator.get_paginated_response(serializer.data)


class CallView(StaffAPIView):
    permission = "view_callrequest"

    def get(self, request: Request, id: str, **kwargs: Any) -> Response:
        self.read_query(request)
        # Every database can represent a key of eighteen digits.
        is_key = id.isascii() and id.isdigit() and len(id) < 19
        call = _calls().filter(pk=int(id)).first() if is_key else None
        if call is None:
            raise Http404
        context = _phone_context(request, f"api call {call.pk}", 1)
        return Response(serializers.StaffCallDetailSerializer(call, context=context).data)


class StatisticsView(StaffAPIView):
    permission = "view_dailystatistics"
    parameters = (*period.PARAMETERS, "channel")

    def get(self, request: Request, **kwargs: Any) -> Response:
        query = self.read_query(request)
        first, last = _read_period(query)
        channel = query.get("channel", "")
        if channel and channel not in CallRequest.Channel.values:
            words = ", ".join(CallRequest.Channel.values)
            raise ValidationError({"channel": [_("One of: %(words)s.") % {"words": words}]})
        days, total = figures_of(first, last, channel)
        return Response(serializers.StaffStatisticsSerializer({"days": days, "total": total}).data)


class BalanceView(StaffAPIView):
    permission = "view_balancereading"

    def get(self, request: Request, **kwargs: Any) -> Response:
        self.read_query(request)
        reading = BalanceReading.objects.order_by("-read_at").first()
        prediction = forecast()
        if reading is None or prediction is None:
            raise Http404
        answer = {
            "balance": reading.balance,
            "currency": reading.currency,
            "read_at": reading.read_at,
            "spend_per_day": prediction.spend_per_day,
            "ends_on": prediction.ends_on,
        }
        return Response(serializers.StaffBalanceSerializer(answer).data)


def _calls() -> QuerySet[CallRequest]:
    return CallRequest.objects.select_related("verification__user")


def _phone_context(request: Request, where: str, rows: int) -> dict[str, bool]:
    """Return whether to show whole numbers; if so, record it in the audit log."""
    whole_phones = request.user.has_perm(f"{_APP}.view_full_phone")
    if whole_phones and rows:
        audit.whole_numbers_seen(request.user, where, rows)
    return {"whole_phones": whole_phones}


def _read_period(query: dict[str, str]) -> tuple[date, date]:
    try:
        return period.read_period(query, provider_today())
    except period.InvalidPeriod as error:
        raise ValidationError({error.parameter: [str(error)]}) from None
