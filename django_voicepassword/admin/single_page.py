"""A page of its own in the admin, in the place where Django shows a list of rows."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from django_voicepassword.admin.base import HistoryAdmin


class SinglePageAdmin(HistoryAdmin):
    """Shows one page; its model has no list. Subclasses set the three names and ``page_context``.

    ``page_name`` is the name of its URL, ``page_template`` its template, and ``page_permission``
    what the reader needs.
    """

    page_name: ClassVar[str]
    page_template: ClassVar[str]
    page_permission: ClassVar[str]

    def page_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return the context of the page, besides that of every page of the admin."""
        raise NotImplementedError

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm(self.page_permission))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.changelist_view)
        name = self.page_name
        # Django's index page and the menus of themes reverse the second name.
        return [path("", view, name=name), path("", view, name=f"{name}_changelist")]

    @method_decorator(require_safe)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            **self.page_context(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)
