"""The list of calls as a file: a page that asks for the format, and the download of what the list's
filters leave.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django import forms
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR, SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.history import export
from django_voicepassword.security import audit

#: Rows that are counted before anything is chosen.
COUNT_AT_MOST = 10_000
#: Parameters of the list that narrow it without being filters of its sidebar.
_NAMES = {
    SEARCH_VAR: gettext_lazy("search"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "number_of": gettext_lazy("same number as call"),
}
#: Parameters that narrow nothing.
_IDLE = (ORDER_VAR, ALL_VAR, "_facets", "_popup", "_to_field")
_LABELS = {
    export.CSV: gettext_lazy("CSV, for any number of rows"),
    export.XLSX: gettext_lazy("XLSX, for Excel"),
}


class ExportForm(forms.Form):
    format = forms.ChoiceField(label=gettext_lazy("Format"), widget=forms.RadioSelect)
    whole_phones = forms.BooleanField(
        label=gettext_lazy("Whole phone numbers; that is noted"), required=False
    )

    def __init__(self, *args: Any, may_see_phones: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        formats: Any = self.fields["format"]
        formats.choices = [(name, _LABELS[name]) for name in export.formats()]
        formats.initial = export.CSV
        if not may_see_phones:
            del self.fields["whole_phones"]


class ExportMixin:
    """Adds ``export/`` to the admin of calls: with the query string of the list, the calls that the
    list shows.
    """

    admin_site: Any
    model: Any
    opts: Any
    get_changelist_instance: Callable[..., Any]
    has_view_permission: Callable[..., bool]

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = path("export/", self.admin_site.admin_view(self.export_view), name=f"{name}_export")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """GET asks for the format, POST downloads."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self._list_address()}?e=1")
        may_see_phones = request.user.has_perm(f"{self.opts.app_label}.view_full_phone")
        form = ExportForm(
            request.POST if request.method == "POST" else None, may_see_phones=may_see_phones
        )
        if form.is_valid():
            try:
                return self._download(request, changes, **form.cleaned_data)
            except export.TooManyRows as error:
                form.add_error("format", str(error))
        return self._ask(request, changes, form)

    def _ask(self, request: HttpRequest, changes: Any, form: ExportForm) -> HttpResponse:
        # The same site whatever its name: see reversing admin URLs in Django's document.
        request.current_app = self.admin_site.name
        rows = changes.queryset.order_by()[: COUNT_AT_MOST + 1].count()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export"),
            "opts": self.opts,
            "form": form,
            "back": self._list_address() + changes.get_query_string(),
            "chosen": chosen(changes),
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
        self, request: HttpRequest, changes: Any, format: str, whole_phones: bool = False
    ) -> StreamingHttpResponse:
        """Raises TooManyRows."""
        rows = changes.queryset.order_by().count()
        if format == export.XLSX and rows > export.MOST_XLSX_ROWS:
            raise export.TooManyRows
        if whole_phones:
            audit.whole_numbers_seen(request.user, f"export as {format}", rows)
        work = export.Export(changes.queryset, whole_phones)
        name = f"calls-{datetime.now(timezone.get_current_timezone()):%Y-%m-%d-%H%M}.{format}"
        response = _csv_response(work, name) if format == export.CSV else _xlsx_response(work, name)
        # For the script that tells how far it is.
        response["X-Export-Rows"] = str(rows)
        # A proxy that keeps all of it back would tell nothing for minutes, and then give up.
        response["X-Accel-Buffering"] = "no"
        return _flat(request, response)

    def _list_address(self) -> str:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return reverse(name, current_app=self.admin_site.name)


def chosen(changes: Any) -> list[tuple[str, str]]:
    """What narrows the list: names and values, in words where the list has them."""
    told = []
    left = {
        name: str(value)
        for name, value in changes.params.items()
        if name not in _IDLE and value != ""
    }
    for spec in changes.filter_specs:
        names = [name for name in spec.expected_parameters() if name in left]
        if names:
            words = [
                str(choice["display"]) for choice in spec.choices(changes) if choice["selected"]
            ]
            values = [left.pop(name) for name in names]
            told.append((str(spec.title), ", ".join(words or values)))
    return told + [(str(_NAMES.get(name, name)), value) for name, value in left.items()]


def _csv_response(work: export.Export, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(
        work.csv(), content_type=export.CONTENT_TYPES[export.CSV], headers=headers
    )


def _xlsx_response(work: export.Export, name: str) -> StreamingHttpResponse:
    """From a file without a name, which is gone when it is closed, or when the process dies."""
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


def _flat(request: HttpRequest, response: StreamingHttpResponse) -> StreamingHttpResponse:
    """Django under ASGI would first read all of it into memory."""
    if isinstance(request, ASGIRequest):
        response.streaming_content = _in_threads(iter(response))
    return response


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(_next)(chunks):
        yield chunk


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")
