"""Unblocking: support lets the limits of a number, or of an address, start from zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from django_voicepassword import limits, phones
from django_voicepassword.admin.addresses import page_address
from django_voicepassword.admin.base import TooManySearches, refuse_search
from django_voicepassword.exceptions import InvalidPhone, RateLimited
from django_voicepassword.history import Reader, numbers, texts
from django_voicepassword.limits import client_ip
from django_voicepassword.models import CallRequest, LimitCounter
from django_voicepassword.security import audit, masking
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications.limit_texts import duration, rate_name
from django_voicepassword.verifications.messages import error_text

#: The permission to unblock a number.
PERMISSIONS = ("django_voicepassword.view_callrequest", "django_voicepassword.unblock_phone")
LABEL = gettext_lazy("Unblock the number")
UNBLOCKED = gettext_lazy("Unblocked the number: its limits start from zero.")
ADDRESS_UNBLOCKED = gettext_lazy(
    "Unblocked the address and its network: what was sent for them counts no more."
)


class UnblockMixin(admin.ModelAdmin):
    """Adds the views ``unblock/`` and ``unblock-address/`` to the admin of calls."""

    @method_decorator(sensitive_post_parameters("phone"))
    @method_decorator(sensitive)
    def unblock_view(self, request: HttpRequest) -> HttpResponse:
        """Unblock the number in the form: a number that reached a limit may have no call at all.

        It counts as a search for a whole number: the history of a call tells whether it was hit.
        """
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        back = HttpResponseRedirect(self._list_of_calls())
        if request.method != "POST":
            return back
        try:
            phone = phones.normalize(request.POST.get("phone", ""))
        except InvalidPhone as error:
            messages.error(request, error_text(error))
            return back
        try:
            Reader(request.user, "unblocking").note_search()
        except RateLimited as error:
            return refuse_search(self, request, TooManySearches(error))
        newest = CallRequest.objects.filter(phone=phone).order_by("-created_at").first()
        if newest is None:
            unblock_without_call(phone, request)
            return back
        message = unblock(phone, request)
        self.log_change(request, newest, message)
        messages.success(request, f"{masking.mask(phone)}: {message}")
        return back

    def unblock_address_view(self, request: HttpRequest) -> HttpResponse:
        """Unblock the client's address in the form, then show what was refused to it."""
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self._list_of_calls())
        typed = request.POST.get("address", "")
        address = typed if typed == client_ip.UNKNOWN else texts.client_address(typed)
        if not address:
            messages.error(request, _("This is not an address."))
            return HttpResponseRedirect(self._list_of_calls())
        limits.unblock_address(address)
        audit.address_unblocked(request.user, address)
        message = str(ADDRESS_UNBLOCKED)
        _log_without_call(request, address, message)
        messages.success(request, f"{address}: {message}")
        return HttpResponseRedirect(f"{self._list_of_calls()}?{urlencode({'q': address})}")

    def _list_of_calls(self) -> str:
        return page_address(self.admin_site, "django_voicepassword_callrequest_changelist")


def unblock(phone: str, request: HttpRequest) -> str:
    """Unblock the number, record it, and return the message for the user."""
    wait = limits.unblock(phone)
    audit.number_unblocked(request.user, masking.mask(phone), with_guesses=not wait)
    if not wait:
        return str(UNBLOCKED)
    return _(
        "Unblocked the number: its sends start from zero. Its wrong guesses still count, because "
        "somebody let them start from zero within the last 24 hours; again in %(wait)s."
    ) % {"wait": duration(wait)}


def unblock_without_call(phone: str, request: HttpRequest) -> None:
    """Unblock a number that has no call, note it in the admin's history, and tell the user."""
    message = unblock(phone, request)
    _log_without_call(request, masking.mask(phone), message)
    messages.success(request, f"{masking.mask(phone)}: {message}")


def _log_without_call(request: HttpRequest, name: str, message: str) -> None:
    """Note an action in the admin's history where no call is there to be noted with."""
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(LimitCounter),
        object_repr=name,
        action_flag=CHANGE,
        change_message=message,
    )


@dataclass(frozen=True)
class Unblocking:
    """What the panel above a search says of the number or the address that was searched for.

    ``used`` has the name of a rate, the count and the allowed count for each limit that is used. Of
    ``phone`` and ``address`` one is "".
    """

    phone: str = field(repr=False)
    address: str
    used: list[tuple[str, int, int]]
    may_unblock: bool


def unblocking_of(query: str, request: HttpRequest) -> Unblocking | None:
    """Return what can be unblocked after this search; None for no whole number and no address."""
    may_unblock = request.user.has_perm(PERMISSIONS[1])
    if address := texts.client_address(query):
        return Unblocking("", address, _named(limits.address_usage(address)), may_unblock)
    phone = numbers.whole_number(query)
    if phone is None:
        return None
    return Unblocking(phone, "", _named(limits.usage(phone)), may_unblock)


def _named(used: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    return [(rate_name(rate), count, allowed) for rate, count, allowed in used]
