"""Export of the list of calls: a page that asks for the format, and the download.

The file has the calls that the list shows with its present filters.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

from asgiref.sync import sync_to_async
from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, SEARCH_VAR, ChangeList
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.admin.base import TooManySearches, refuse_search
from django_voicepassword.admin.lookups import AllowedLookups
from django_voicepassword.history import export
from django_voicepassword.security import audit

#: The page that asks for the format stops counting rows here.
COUNT_AT_MOST = 10_000
#: Query parameters that filter the list but have no filter in its sidebar.
_PARAMETER_LABELS = {
    SEARCH_VAR: gettext_lazy("search"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "number_of": gettext_lazy("same number as call"),
}
#: Query parameters that do not filter.
_NOT_FILTERS = (ORDER_VAR, ALL_VAR, "_facets", "_popup", "_to_field")
_FORMAT_LABELS = {
    export.CSV: gettext_lazy("CSV, for any number of rows"),
    export.XLSX: gettext_lazy("XLSX, for Excel"),
}


def _format_choices() -> list[tuple[str, Promise]]:
    return [(name, _FORMAT_LABELS[name]) for name in export.formats()]


class ExportForm(forms.Form):
    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        widget=forms.RadioSelect,
        choices=_format_choices,
        initial=export.CSV,
    )
    whole_phones = forms.BooleanField(
        label=gettext_lazy("Whole phone numbers; that is noted"), required=False
    )

    def __init__(self, data: QueryDict | None, may_see_phones: bool) -> None:
        super().__init__(data)
        if not may_see_phones:
            del self.fields["whole_phones"]


class ExportMixin(AllowedLookups):
    """Adds ``export/`` to the admin of calls.

    With the query string of the list it exports the calls that the list shows.
    """

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        export_path = path("export/", self.admin_site.admin_view(self.export_view), name=name)
        return [export_path, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for the format on GET, download on POST."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changelist = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self._list_address()}?e=1")
        except TooManySearches as refusal:
            return refuse_search(self, request, refusal)
        may_see_phones = request.user.has_perm(f"{self.opts.app_label}.view_full_phone")
        form = ExportForm(request.POST if request.method == "POST" else None, may_see_phones)
        if form.is_valid():
            try:
                return self._download(request, changelist, **form.cleaned_data)
            except export.TooManyRows as error:
                form.add_error("format", str(error))
        return self._form_page(request, changelist, form)

    def _form_page(
        self, request: HttpRequest, changelist: ChangeList, form: ExportForm
    ) -> HttpResponse:
        # Reverse URLs to this admin site, not to the default one: see "Reversing admin URLs" in
        # Django's documentation.
        request.current_app = self.admin_site.name
        rows = changelist.queryset.order_by()[: COUNT_AT_MOST + 1].count()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export"),
            "opts": self.opts,
            "form": form,
            "back": self._list_address() + changelist.get_query_string(),
            "chosen": chosen_filters(changelist),
            "rows": rows,
            "more_than": number_format(COUNT_AT_MOST, force_grouping=True)
            if rows > COUNT_AT_MOST
            else "",
            "has_xlsx": export.XLSX in export.formats(),
            "most": number_format(export.MOST_XLSX_ROWS, force_grouping=True),
        }
        template = "admin/django_voicepassword/callrequest/export.html"
        return TemplateResponse(request, template, context, status=400 if form.errors else 200)

    def _download(
        self, request: HttpRequest, changelist: ChangeList, format: str, whole_phones: bool = False
    ) -> StreamingHttpResponse:
        """Return the file. Raises TooManyRows."""
        rows = changelist.queryset.order_by().count()
        if format == export.XLSX and rows > export.MOST_XLSX_ROWS:
            raise export.TooManyRows
        if whole_phones:
            audit.whole_numbers_seen(request.user, f"export as {format}", rows)
        work = export.Export(changelist.queryset, whole_phones)
        name = f"calls-{datetime.now(timezone.get_current_timezone()):%Y-%m-%d-%H%M}.{format}"
        response = _csv_response(work, name) if format == export.CSV else _xlsx_response(work, name)
        # export.js shows the progress by it.
        response["X-Export-Rows"] = str(rows)
        # nginx would buffer the stream: no progress for minutes, and then a timeout.
        response["X-Accel-Buffering"] = "no"
        return _streamed(request, response)

    def _list_address(self) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return reverse(name, current_app=self.admin_site.name)


def chosen_filters(changelist: ChangeList) -> list[tuple[str, str]]:
    """Return the names and values of the filters in use, as the list labels them."""
    filters = []
    params = {
        name: str(value)
        for name, value in changelist.params.items()
        if name not in _NOT_FILTERS and value != ""
    }
    for spec in changelist.filter_specs:
        names = [name for name in spec.expected_parameters() if name in params]
        if names:
            labels = [
                str(choice["display"]) for choice in spec.choices(changelist) if choice["selected"]
            ]
            values = [params.pop(name) for name in names]
            filters.append((str(spec.title), ", ".join(labels or values)))
    return filters + [
        (str(_PARAMETER_LABELS.get(name, name)), value) for name, value in params.items()
    ]


def _csv_response(work: export.Export, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        work.csv(), content_type=export.CONTENT_TYPES[export.CSV], headers=headers
    )


def _xlsx_response(work: export.Export, name: str) -> StreamingHttpResponse:
    """Send a temporary file without a name: it vanishes when it is closed or the process dies."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the response closes it)
    try:
        work.xlsx(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileResponse(
        file, as_attachment=True, filename=name, content_type=export.CONTENT_TYPES[export.XLSX]
    )


def _streamed(request: HttpRequest, response: StreamingHttpResponse) -> StreamingHttpResponse:
    """Make the stream asynchronous under ASGI, where Django reads a synchronous one into memory."""
    if isinstance(request, ASGIRequest):
        response.streaming_content = _in_threads(iter(response))
    return response


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(_next_chunk)(chunks):
        yield chunk


def _next_chunk(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")
