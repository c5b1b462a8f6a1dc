"""Parts that the admin pages share: read-only rows, masked phones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword import phones
from django_voicepassword.admin import notices, user_page
from django_voicepassword.admin.addresses import may_see, page_address
from django_voicepassword.admin.changelist import BoundedPaginator, PeriodList
from django_voicepassword.admin.lookups import AllowedLookups
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.history import Reader
from django_voicepassword.models import (
    CallRequest,
    RefusedAttempt,
    Verification,
    VerifiedPhone,
)
from django_voicepassword.security import audit, masking
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications.messages import error_text

UserRow = CallRequest | Verification | VerifiedPhone
PhoneRow = UserRow | RefusedAttempt


class TooManySearches(PermissionDenied):
    """A user has searched for too many whole numbers.

    The pages of this app answer it with status 429. Django's own view for autocomplete fields
    answers 403, as for any PermissionDenied.
    """

    def __init__(self, error: RateLimited) -> None:
        super().__init__(str(error))
        self.error = error


def refuse_search(
    model_admin: admin.ModelAdmin, request: HttpRequest, refusal: TooManySearches
) -> HttpResponse:
    """Answer 429, with a page that says when the next search may follow."""
    request.current_app = model_admin.admin_site.name
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Too many searches"),
        "opts": model_admin.opts,
        "text": error_text(refusal.error),
    }
    return TemplateResponse(
        request,
        "admin/django_voicepassword/too_many_searches.html",
        context,
        status=refusal.error.status_code,
        headers={"Retry-After": str(refusal.error.retry_after)},
    )


class HistoryAdmin(AllowedLookups):
    """Read-only rows."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    class Media:
        css = {"all": ["voicepassword/admin.css"]}

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """Return what the reader may do. The list of applications asks it on every admin page.

        So it is also the place for a message that belongs on every page, or on one that is the
        project's.
        """
        notices.warn(request, self.admin_site)
        user_page.lead(request, self.admin_site)
        return super().get_model_perms(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never on a page of this app, and always for a row that goes with a row of the project.

        Django asks this of every row that is deleted by cascade. Whoever may delete a user deletes
        the user's numbers too: a user who once logged in by phone could never be deleted otherwise.
        """
        return obj is not None and not _is_page_of(self.opts.app_label, request)


def _is_page_of(app_label: str, request: HttpRequest) -> bool:
    """Whether the request is for an admin page of this app; also True where that is unknown."""
    match = request.resolver_match
    return match is None or (match.url_name or "").startswith(f"{app_label}_")


class LongListAdmin(HistoryAdmin):
    """Rows in a list that stays fast, with a bar of periods. It is ordered by time alone."""

    change_list_template = "admin/django_voicepassword/change_list.html"
    paginator = BoundedPaginator
    #: The indexed field by which the list is ordered and its period chosen.
    moment = "created_at"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeriodList

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> BoundedPaginator:
        paginator = cast(BoundedPaginator, super().get_paginator(request, *args, **kwargs))
        page = request.GET.get(PAGE_VAR, "")
        if page.isascii() and page.isdigit() and len(page) < 10:
            paginator.page_shown = max(int(page), 1)
        return paginator


class PhoneAdmin(LongListAdmin):
    """Rows with a phone and a user, adapted to the permissions of the reader.

    Use ``phone_masked`` and ``user_link`` as column names. A reader with ``view_full_phone`` gets
    the whole number instead, and the audit log records it; to all others the number in a user's
    name is masked too. A reader who may not see users gets the name without a link.
    """

    #: Searches the rows: one of ``history``.
    search: Callable[[Any, str, Reader], QuerySet[Any]]

    def shows_whole_phones(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_voicepassword.view_full_phone")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search for the list, the export and autocomplete fields. Raises TooManySearches."""
        reader = Reader(request.user, f"list of {self.opts.model_name}")
        try:
            return type(self).search(queryset, search_term, reader), False
        except RateLimited as error:
            raise TooManySearches(error) from None

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._substitute(super().get_list_display(request), request)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return self._substitute(super().get_readonly_fields(request, obj), request)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return [
            (name, {**options, "fields": self._substitute(options["fields"], request)})
            for name, options in super().get_fieldsets(request, obj)
        ]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._substitute(super().get_fields(request, obj), request)

    @method_decorator(sensitive)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            response = super().changelist_view(request, extra_context)
        except TooManySearches as error:
            return refuse_search(self, request, error)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and self.shows_whole_phones(request):
            audit.whole_numbers_seen(
                request.user, f"list of {self.opts.model_name}", len(context["cl"].result_list)
            )
        return response

    @method_decorator(sensitive)
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        response = super().change_view(request, object_id, form_url, extra_context)
        if response.status_code == 200 and self.shows_whole_phones(request):
            # The id of a verification is a bearer secret: log only its beginning.
            audit.whole_numbers_seen(request.user, f"{self.opts.model_name} {object_id[:8]}", 1)
        return response

    @method_decorator(sensitive)
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        entries = (getattr(response, "context_data", None) or {}).get("action_list")
        if entries is not None and not self.shows_whole_phones(request):
            # Into a list, which the template then uses: an iterator would make new objects.
            entries.object_list = list(entries.object_list)
            for entry in entries.object_list:
                _mask_user(entry)
        return response

    def substitute_columns(self, request: HttpRequest) -> dict[str, str]:
        """Return the columns to replace for this reader, and their replacements."""
        user = "user_link" if may_see(self.admin_site, get_user_model(), request) else "user_name"
        if self.shows_whole_phones(request):
            return {"phone_masked": "phone_whole", "user_link": f"{user}_whole"}
        return {"user_link": user}

    def _substitute(self, names: Iterable[Any], request: HttpRequest) -> list[Any]:
        columns = self.substitute_columns(request)
        return [columns.get(name, name) for name in names]

    @admin.display(description=gettext_lazy("phone"))
    def phone_masked(self, row: PhoneRow) -> str:
        return format_html('<span class="vp-phone">{}</span>', row.masked_phone)

    @admin.display(description=gettext_lazy("phone"))
    def phone_whole(self, row: PhoneRow) -> str:
        if masking.is_cut(row.phone):
            return format_html('<span class="vp-phone">+{}</span>', row.phone)
        return format_html(
            '<a class="vp-phone" href="tel:+{}">{}</a>', row.phone, phones.national(row.phone)
        )

    @admin.display(description=gettext_lazy("user"))
    def user_name(self, row: UserRow) -> str:
        user = _user_of(row)
        return "–" if user is None else masking.mask_name(user)

    @admin.display(description=gettext_lazy("user"))
    def user_name_whole(self, row: UserRow) -> str:
        return str(_user_of(row) or "–")

    @admin.display(description=gettext_lazy("user"))
    def user_link(self, row: UserRow) -> str:
        user = _user_of(row)
        if user is None or masking.has_number(str(user.pk)):
            # The address of the user's page would have the number.
            return self.user_name(row)
        return self._link_to(user, masking.mask_name(user))

    @admin.display(description=gettext_lazy("user"))
    def user_link_whole(self, row: UserRow) -> str:
        user = _user_of(row)
        return "–" if user is None else self._link_to(user, str(user))

    def _link_to(self, user: AbstractBaseUser, text: str) -> str:
        name = f"{user._meta.app_label}_{user._meta.model_name}_change"
        address = page_address(self.admin_site, name, user.pk)
        return format_html('<a href="{}">{}</a>', address, text)


def _mask_user(entry: LogEntry) -> None:
    """Change how Django's page of an object's history names the user of this entry."""
    for method in ("get_username", "get_full_name"):
        if hasattr(entry.user, method):
            setattr(entry.user, method, partial(masking.mask_name, getattr(entry.user, method)()))


def _user_of(row: UserRow) -> AbstractBaseUser | None:
    if isinstance(row, CallRequest):
        return row.verification.user if row.verification else None
    return row.user
