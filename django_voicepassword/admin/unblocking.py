"""Unblocking: support lets the limits of a number start from zero."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from django_voicepassword import limits, phones
from django_voicepassword.admin.base import TooManySearches, refuse_search
from django_voicepassword.exceptions import InvalidPhone, RateLimited
from django_voicepassword.history import Reader, search
from django_voicepassword.models import CallRequest, LimitCounter
from django_voicepassword.security import audit, masking
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications.limit_texts import duration, rate_name
from django_voicepassword.verifications.messages import error_text

#: The permission to unblock a number.
PERMISSIONS = ("django_voicepassword.view_callrequest", "django_voicepassword.unblock_phone")
UNBLOCKED = gettext_lazy("Unblocked the number: its limits start from zero.")


class UnblockMixin(admin.ModelAdmin):
    """Adds the view ``unblock/`` to the admin of calls."""

    @method_decorator(sensitive_post_parameters("phone"))
    @method_decorator(sensitive)
    def unblock_view(self, request: HttpRequest) -> HttpResponse:
        """Unblock the number in the form: a number that reached a limit may have no call at all.

        It counts as a search for a whole number: the history of a call tells whether it was hit.
        """
        if not request.user.has_perms(PERMISSIONS):
            raise PermissionDenied
        back = HttpResponseRedirect(reverse("admin:django_voicepassword_callrequest_changelist"))
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
        message = unblock(phone, request)
        newest = CallRequest.objects.filter(phone=phone).order_by("-created_at").first()
        if newest is not None:
            self.log_change(request, newest, message)
        else:
            _log_without_call(request, phone, message)
        messages.success(request, f"{masking.mask(phone)}: {message}")
        return back


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


def _log_without_call(request: HttpRequest, phone: str, message: str) -> None:
    """Note an action in the admin's history where no call is there to be noted with."""
    LogEntry.objects.create(
        user_id=str(request.user.pk),
        content_type=ContentType.objects.get_for_model(LimitCounter),
        object_repr=masking.mask(phone),
        action_flag=CHANGE,
        change_message=message,
    )


@dataclass(frozen=True)
class LimitUsage:
    """How much of its limits a number has used.

    ``used`` has the name of a rate, the count and the allowed count for each limit that is used.
    """

    phone: str = field(repr=False)
    used: list[tuple[str, int, int]]
    may_unblock: bool


def limit_usage(query: str, request: HttpRequest) -> LimitUsage | None:
    """Return the usage of the number that was searched for; None unless it is a whole number."""
    phone = search.whole_number(query)
    if phone is None:
        return None
    used = [(rate_name(rate), count, allowed) for rate, count, allowed in limits.usage(phone)]
    return LimitUsage(phone, used, request.user.has_perm(PERMISSIONS[1]))
