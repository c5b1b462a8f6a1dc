"""Lists that stay quick over a million rows: no full count, no DISTINCT, no order that no index
has.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.advice import ERRORS
from django_voicepassword.admin.period_bar import PERIOD, PeriodChoices
from django_voicepassword.history import filters
from django_voicepassword.models import CallRequest

#: Rows that are counted, and so can be leafed through; what lies beyond is found by a narrower
#: period.
COUNT_AT_MOST = 1000
#: The parameter of a list of the calls to one number: the id of any of them.
NUMBER_OF = "number_of"


class BoundedPaginator(Paginator):
    """Counts no further than COUNT_AT_MOST, in the list's own order, so by its index: a count of
    all reads all.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNT_AT_MOST].count())


class WordFilter(admin.SimpleListFilter):
    """A filter of ``history.apply_filters`` whose words are known beforehand."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[CallRequest]
    ) -> QuerySet[CallRequest]:
        try:
            return filters.apply_filters(queryset, {str(self.parameter_name): self.value()})
        except filters.InvalidFilter as error:
            raise IncorrectLookupParameters from error


class StateFilter(WordFilter):
    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return CallRequest.State.choices


class ChannelFilter(WordFilter):
    title, parameter_name = gettext_lazy("channel"), "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return CallRequest.Channel.choices


class OriginFilter(WordFilter):
    title, parameter_name = gettext_lazy("origin"), "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return CallRequest.Origin.choices


class DifferenceFilter(WordFilter):
    title, parameter_name = gettext_lazy("difference"), "differs"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        known = [(str(one.name).lower(), one.label) for one in CallRequest.Difference]
        return [(filters.ANY, _("any")), *known]


class ErrorFilter(WordFilter):
    """The provider's error codes and ours. One that is in neither list is found by ``?error=…``."""

    title, parameter_name = gettext_lazy("error"), "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(filters.ANY, _("any")), *((code, code) for code in ERRORS)]


class CallList(ChangeList):
    """The list of calls: beside the filters of the sidebar it takes ``from``, ``to`` and
    ``number_of``.
    """

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        kept: dict[str, Any] = super().get_filters_params(params)
        for name in (*PERIOD, NUMBER_OF):
            kept.pop(name, None)
        return kept

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        calls: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        wanted = {name: request.GET.get(name) for name in PERIOD}
        try:
            calls = filters.apply_filters(calls, wanted)
            return filters.of_same_number(calls, request.GET.get(NUMBER_OF, ""))
        except filters.InvalidFilter as error:
            raise IncorrectLookupParameters from error

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.is_capped:
            # Beside the search box a bound would read like a count: with these two the same there
            # is none.
            self.full_result_count = self.result_count

    @cached_property
    def is_capped(self) -> bool:
        """Are there more rows than were counted?"""
        return self.result_count >= COUNT_AT_MOST

    @cached_property
    def period(self) -> PeriodChoices:
        return PeriodChoices(self)
