"""Lists that stay fast over a million rows.

They never count all rows, and they use no DISTINCT and no order without an index.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.advice import ERRORS
from django_voicepassword.admin.period_bar import PeriodBar
from django_voicepassword.history import Reader, filters, period
from django_voicepassword.models import CallRequest

#: The paginator counts and shows no more rows than these; choose a narrower period to see older
#: ones.
COUNT_AT_MOST = 1000
#: Query parameter for the calls to one number: the id of any of these calls.
NUMBER_OF = "number_of"


class BoundedPaginator(Paginator):
    """Stops counting at COUNT_AT_MOST: counting all rows would read all of them.

    The slice keeps the order of the list, so that the database counts along its index.
    """

    object_list: QuerySet[Model]

    @cached_property
    def count(self) -> int:
        return self.object_list[:COUNT_AT_MOST].count()


def _reader(request: HttpRequest) -> Reader:
    return Reader(request.user, "list of callrequest")


class HistoryFilter(admin.SimpleListFilter):
    """A filter of ``history.apply_filters`` with a fixed list of values."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CallRequest]
    ) -> QuerySet[CallRequest]:
        try:
            return filters.apply_filters(
                queryset, {str(self.parameter_name): self.value()}, _reader(request)
            )
        except filters.InvalidFilter as error:
            raise IncorrectLookupParameters from error


class ChoicesFilter(HistoryFilter):
    """A filter by a field with choices."""

    choices_type: type[TextChoices]

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(choice.value, str(choice.label)) for choice in self.choices_type]


class StateFilter(ChoicesFilter):
    title, parameter_name = gettext_lazy("state"), "state"
    choices_type = CallRequest.State


class ChannelFilter(ChoicesFilter):
    title, parameter_name = gettext_lazy("channel"), "channel"
    choices_type = CallRequest.Channel


class OriginFilter(ChoicesFilter):
    title, parameter_name = gettext_lazy("origin"), "origin"
    choices_type = CallRequest.Origin


class DifferenceFilter(HistoryFilter):
    title, parameter_name = gettext_lazy("difference"), "differs"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        flags = [(str(flag.name).lower(), str(flag.label)) for flag in CallRequest.Difference]
        return [(filters.ANY, _("any")), *flags]


class ErrorFilter(HistoryFilter):
    """Lists the known error codes; ``?error=…`` finds any other one too."""

    title, parameter_name = gettext_lazy("error"), "error"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(filters.ANY, _("any")), *((code, code) for code in ERRORS)]


class CallList(ChangeList):
    """The list of calls. Takes ``from``, ``to`` and ``number_of`` beside the sidebar's filters."""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        filter_params = super().get_filters_params(params)
        for name in (*period.PARAMETERS, NUMBER_OF):
            filter_params.pop(name, None)
        return filter_params

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[CallRequest]:
        calls: QuerySet[CallRequest] = super().get_queryset(request, exclude_parameters)
        days = {name: request.GET.get(name) for name in period.PARAMETERS}
        try:
            calls = filters.apply_filters(calls, days, _reader(request))
            return filters.of_same_number(calls, request.GET.get(NUMBER_OF, ""))
        except filters.InvalidFilter as error:
            raise IncorrectLookupParameters from error

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.is_capped:
            # Django shows result_count beside the search box if the two differ; COUNT_AT_MOST
            # would read there like a real count.
            self.full_result_count = self.result_count

    @cached_property
    def is_capped(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.result_count >= COUNT_AT_MOST

    @cached_property
    def period_bar(self) -> PeriodBar:
        return PeriodBar(self)
