"""The page of a customer: its box, what the box found, and the story of one person."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from django_voicepassword.accounts import people
from django_voicepassword.accounts.people import Person as Customer
from django_voicepassword.admin import unblocking
from django_voicepassword.admin.addresses import customer_address, page_address
from django_voicepassword.admin.base import TooManySearches, refuse_search
from django_voicepassword.admin.person.facts import facts, match, shown_number
from django_voicepassword.admin.person.live import live_context
from django_voicepassword.admin.single_page import SinglePageAdmin
from django_voicepassword.exceptions import RateLimited
from django_voicepassword.history import Reader, numbers, texts
from django_voicepassword.models import Person
from django_voicepassword.provider.dates import for_field
from django_voicepassword.security import audit, masking
from django_voicepassword.security.sensitive import sensitive

#: The query parameters that lead to a person: see ``people.Key``.
KEYS = ("user", "phone", "call", "refused")
#: The query parameter that asks for the part of the page that changes, and its value.
PART, LIVE = "part", "live"
#: The query parameter of older attempts: the moment before which they began.
BEFORE = "before"


@admin.register(Person)
class PersonAdmin(SinglePageAdmin):
    """Finds customers. Its model has no rows."""

    page_name = "django_voicepassword_person"
    page_template = "admin/django_voicepassword/person/page.html"
    page_permission = "django_voicepassword.view_callrequest"

    def get_urls(self) -> list[URLPattern]:
        unblock = self.admin_site.admin_view(self.unblock_view)
        return [
            *super().get_urls(),
            path("unblock/", unblock, name=f"{self.page_name}_unblock"),
        ]

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    @method_decorator(sensitive_post_parameters("q"))
    @method_decorator(sensitive)
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = (request.POST if request.method == "POST" else request.GET).get("q", "")
        if text.strip():
            return self._found(request, text)
        person = _person(request)
        if person is None:
            text = _("Nothing is kept of it any more.") if _is_asked(request) else ""
            return self._page(request, {"text": text})
        return self._story(request, person)

    @method_decorator(sensitive)
    def unblock_view(self, request: HttpRequest) -> HttpResponse:
        """Unblock the number of a person who has no call: support typed no number here."""
        if not request.user.has_perms(unblocking.PERMISSIONS):
            raise PermissionDenied
        person = _person(request)
        if request.method == "POST" and person is not None and person.phones:
            unblocking.unblock_without_call(person.phones[0], request)
        address = customer_address(self.admin_site, person.key if person else None)
        return HttpResponseRedirect(address)

    def _found(self, request: HttpRequest, text: str) -> HttpResponse:
        """Answer a search: one person at once, several as a list."""
        if address := texts.client_address(text):
            calls = page_address(self.admin_site, "django_voicepassword_callrequest_changelist")
            return HttpResponseRedirect(f"{calls}?{urlencode({'q': address})}")
        if request.method == "POST" and not _may_have_number(text):
            # The list can be left and come back to.
            address = f"{customer_address(self.admin_site)}?{urlencode({'q': text})}"
            return HttpResponseRedirect(address)
        try:
            found = people.find(text, Reader(request.user, "customers"))
        except RateLimited as error:
            return refuse_search(self, request, TooManySearches(error))
        if len(found) != 1:
            return self._list(request, text, found)
        if found[0].key is None:
            return self._unknown_number(request, found[0])
        return HttpResponseRedirect(customer_address(self.admin_site, found[0].key))

    def _list(self, request: HttpRequest, text: str, found: list[Customer]) -> HttpResponse:
        is_whole = self._sees_whole_numbers(request)
        shown = sum(len(person.phones) for person in found)
        if shown and is_whole:
            audit.whole_numbers_seen(request.user, "customers", shown)
        context = {
            "found": [match(person, self.admin_site, is_whole) for person in found],
            "is_capped": len(found) >= people.MOST,
            "text": "" if found else _("Nobody was found."),
            "typed": "" if _may_have_number(text) else text,
        }
        return self._page(request, context)

    def _unknown_number(self, request: HttpRequest, person: Customer) -> HttpResponse:
        """Show that nothing is known of a whole number, and what is used of its limits."""
        context = {
            "title": masking.mask(person.phones[0]),
            "unblocking": unblocking.unblocking_of(f"+{person.phones[0]}", request),
            **live_context(person, None, request, self.admin_site),
        }
        return self._page(request, context)

    def _story(self, request: HttpRequest, person: Customer) -> HttpResponse:
        context = live_context(person, _before(request), request, self.admin_site)
        if request.GET.get(PART) == LIVE:
            # Its numbers are masked: nothing is recorded each time that the page looks again.
            template = "admin/django_voicepassword/person/live.html"
            return TemplateResponse(request, template, context)
        is_whole = self._sees_whole_numbers(request)
        if person.phones and is_whole:
            audit.whole_numbers_seen(request.user, "customer", len(person.phones))
        head = facts(person, self.admin_site, request, is_whole)
        phone = person.phones[0] if person.phones else ""
        title = head["name"] or (shown_number(phone, is_whole) if phone else _("Customer"))
        return self._page(request, {**context, "head": head, "title": title})

    def _page(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            self.page_template,
            {
                **self.admin_site.each_context(request),
                "title": _("Find a customer"),
                "box_address": customer_address(self.admin_site),
                "box_has_focus": "cards" not in context,
                **context,
            },
        )

    def _sees_whole_numbers(self, request: HttpRequest) -> bool:
        return Reader(request.user, "customer").sees_whole_numbers


def _is_asked(request: HttpRequest) -> bool:
    return any(name in request.GET for name in KEYS)


def _person(request: HttpRequest) -> Customer | None:
    """Return the person to whom the query leads."""
    name = next((name for name in KEYS if name in request.GET), "")
    return people.of_key(name, request.GET[name]) if name else None


def _may_have_number(text: str) -> bool:
    """Whether ``text`` may be a whole number or contain one, which no address may show."""
    return numbers.number_of(texts.clean(text)) is not None or masking.has_number(text)


def _before(request: HttpRequest) -> datetime | None:
    """Return the moment that the query names; None where it is none, or no database can hold it."""
    try:
        moment = parse_datetime(request.GET.get(BEFORE, ""))
        if moment is None or moment.tzinfo is None:
            return None
        # The database gets it in UTC, where the first and the last day of the calendar may end.
        return for_field(moment.astimezone(timezone.utc))
    except (ValueError, OverflowError):
        return None
