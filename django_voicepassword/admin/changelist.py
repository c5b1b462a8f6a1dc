"""Lists that stay fast over a million rows.

They never count all rows, and they use no DISTINCT and no order without an index.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet, TextChoices
from django.http import HttpRequest, QueryDict
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.advice import ERRORS
from django_voicepassword.admin.error_names import error_name
from django_voicepassword.admin.period_bar import PeriodBar
from django_voicepassword.history import Reader, filters, period
from django_voicepassword.models import CallRequest

if TYPE_CHECKING:
    from django_voicepassword.admin.base import LongListAdmin

#: How many rows are counted beyond the page that is shown.
COUNT_AT_MOST = 1000
#: No page after this one is counted up to: choose a narrower period to see older rows.
DEEPEST_PAGE = 2000
#: Query parameter for the calls to one number: the id of any of these calls.
NUMBER_OF = "number_of"


class BoundedPaginator(Paginator):
    """Counts only COUNT_AT_MOST rows beyond ``page``: counting all rows would read all of them.

    So each page has links to the next ones. The slice keeps the order of the list, so that the
    database counts along its index.
    """

    object_list: QuerySet[Model]
    #: The number of the page that is shown.
    page_shown = 1

    @cached_property
    def count(self) -> int:
        return min(self._counted, self._bound)

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than ``count``."""
        return self._counted > self._bound

    @property
    def _bound(self) -> int:
        return COUNT_AT_MOST + self.per_page * (min(self.page_shown, DEEPEST_PAGE) - 1)

    @cached_property
    def _counted(self) -> int:
        return self.object_list[: self._bound + 1].count()


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
        return [(filters.ANY, _("any")), *((code, error_name(code)) for code in ERRORS)]


class PeriodList(ChangeList):
    """A list with a bar of periods. Takes ``from`` and ``to`` beside the sidebar's filters."""

    #: Query parameters that are no lookups.
    parameters: tuple[str, ...] = period.PARAMETERS
    model_admin: LongListAdmin
    paginator: BoundedPaginator

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Sort by time alone: for other columns Django only hides the links, and obeys ``?o=``."""
        ordering = list(super().get_ordering(request, queryset))
        moment = self.model_admin.moment
        return ordering if str(ordering[0]).lstrip("-") == moment else [f"-{moment}", "-pk"]

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        filter_params = super().get_filters_params(params)
        for name in self.parameters:
            filter_params.pop(name, None)
        return filter_params

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet[Model]:
        rows = super().get_queryset(request, exclude_parameters)
        try:
            return self.narrow(rows, request.GET)
        except filters.InvalidFilter as error:
            raise IncorrectLookupParameters from error

    def narrow(self, rows: QuerySet[Any], query: QueryDict) -> QuerySet[Any]:
        """Return the rows that the parameters of this list choose. Raises InvalidFilter."""
        days = {name: query.get(name) for name in period.PARAMETERS}
        return filters.in_period(rows, days, self.model_admin.moment)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.is_capped or not self.params:
            # Django shows result_count beside the search box if the two differ, with a link that
            # shows all rows. A bound would read there like a real count, and a list that nothing
            # narrows shows all rows already.
            self.full_result_count = self.result_count

    @property
    def is_capped(self) -> bool:
        """Whether there are more rows than were counted."""
        return self.paginator.is_capped

    @property
    def counted(self) -> str:
        """The number of rows that were counted, as people write it."""
        return number_format(self.result_count, force_grouping=True)

    @cached_property
    def period_bar(self) -> PeriodBar:
        return PeriodBar(self, self.model_admin.moment)


class CallList(PeriodList):
    """The list of calls. Takes ``number_of`` too."""

    parameters = (*period.PARAMETERS, NUMBER_OF)

    def narrow(self, rows: QuerySet[Any], query: QueryDict) -> QuerySet[Any]:
        return filters.of_same_number(super().narrow(rows, query), query.get(NUMBER_OF, ""))
