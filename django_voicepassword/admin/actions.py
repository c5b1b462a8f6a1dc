"""What support can do about a call: by POST only, each with its permission, noted in the admin's
history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from django_voicepassword import limits, phones, verifications
from django_voicepassword.admin.base import rubles
from django_voicepassword.calls import polling
from django_voicepassword.exceptions import InvalidPhone, ProviderError, VerificationError
from django_voicepassword.history import search
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import masking
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.messages import error_text

_APP = "django_voicepassword"


@dataclass(frozen=True)
class Action:
    """Something to do. ``channel``: it sends, and costs; ``done``: what the history and the message
    say.
    """

    permission: str
    label: str | Promise
    done: str | Promise
    why: str | Promise
    channel: str = ""


ACTIONS = {
    "ask": Action(
        "ask_provider",
        gettext_lazy("Ask the provider now"),
        gettext_lazy("Asked the provider for the state."),
        gettext_lazy(
            "The provider told no id for this call: only the daily statistics can find it."
        ),
    ),
    "sms": Action(
        "send_sms",
        gettext_lazy("Send the code by SMS"),
        gettext_lazy("Sent the code by SMS."),
        gettext_lazy(
            "An SMS needs a verification that is still open and a call of it that the provider took."
        ),
        "sms",
    ),
    "voice": Action(
        "send_voice",
        gettext_lazy("Let a robot call and say the code"),
        gettext_lazy("Had a robot call and say the code."),
        gettext_lazy(
            "A call needs a verification that is still open: the customer must ask for a new code."
        ),
        "voice",
    ),
    "cancel": Action(
        "cancel_verification",
        gettext_lazy("Cancel the verification"),
        gettext_lazy("Canceled the verification."),
        gettext_lazy("The verification is over already."),
    ),
    "unblock": Action(
        "unblock_phone",
        gettext_lazy("Unblock the number"),
        gettext_lazy("Unblocked the number: its limits begin anew."),
        gettext_lazy("No limit of this number is used."),
    ),
}


@dataclass(frozen=True)
class Offer:
    """A action as the page shows it: its address, and why it cannot be done where that is so."""

    name: str
    label: str
    address: str
    costs: bool
    why_not: str = ""


def available_actions(
    call: CallRequest, calls: list[CallRequest], request: HttpRequest
) -> list[Offer]:
    """What this member of the staff may do about the call. ``calls``: all of its verification."""
    found = []
    for name, action in ACTIONS.items():
        if request.user.has_perm(f"{_APP}.{action.permission}"):
            address = reverse("admin:django_voicepassword_callrequest_do", args=[call.pk, name])
            why_not = "" if _is_possible(name, call, calls) else str(action.why)
            found.append(Offer(name, str(action.label), address, bool(action.channel), why_not))
    return found


def _is_possible(name: str, call: CallRequest, calls: list[CallRequest]) -> bool:
    if name == "ask":
        return bool(call.provider_id) and call.service != CallRequest.TEST_SERVICE
    if name == "unblock":
        return bool(limits.usage(call.phone))
    is_open = call.verification is not None and call.verification.is_open
    if name == "cancel":
        return is_open
    return is_open and ACTIONS[name].channel in channels.possible(calls)


class SupportMixin:
    """Adds ``<id>/do/<action>/`` and ``unblock/`` to the admin of calls."""

    admin_site: Any
    log_change: Callable[..., Any]
    get_object: Callable[..., Any]

    @method_decorator(sensitive)
    def do_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """POST does it; GET of what costs asks first. Raises PermissionDenied without the action's
        own permission.
        """
        action = ACTIONS.get(name)
        call: CallRequest | None = self.get_object(request, object_id)
        if action is None or call is None:
            raise Http404
        self._allow(request, action)
        back = HttpResponseRedirect(
            reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])
        )
        if request.method != "POST":
            return self._ask_first(request, action, call) if action.channel else back
        try:
            told = _do(name, action, call)
        except VerificationError as error:
            messages.error(request, error_text(error))
        except (ProviderError, ValueError, ImproperlyConfigured) as error:
            messages.error(request, _("It could not be done: %(error)s") % {"error": error})
        else:
            self.log_change(request, call, str(action.done))
            messages.success(request, told)
        return back

    @method_decorator(sensitive_post_parameters("phone"))
    @method_decorator(sensitive)
    def unblock_view(self, request: HttpRequest) -> HttpResponse:
        """Unblock a number that was typed: one that reached a limit may have no call at all."""
        self._allow(request, ACTIONS["unblock"])
        back = HttpResponseRedirect(reverse("admin:django_voicepassword_callrequest_changelist"))
        if request.method != "POST":
            return back
        try:
            phone = phones.normalize(request.POST.get("phone", ""))
        except InvalidPhone as error:
            messages.error(request, error_text(error))
            return back
        limits.unblock(phone)
        newest = CallRequest.objects.filter(phone=phone).order_by("-created_at").first()
        if newest is not None:
            self.log_change(request, newest, str(ACTIONS["unblock"].done))
        messages.success(request, f"{masking.mask(phone)}: {ACTIONS['unblock'].done}")
        return back

    def _allow(self, request: HttpRequest, action: Action) -> None:
        wanted = (f"{_APP}.view_callrequest", f"{_APP}.{action.permission}")
        if not request.user.has_perms(wanted):
            raise PermissionDenied

    def _ask_first(self, request: HttpRequest, action: Action, call: CallRequest) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "call": call,
            "opts": CallRequest._meta,
            "price": rubles(limits.expected_price(action.channel)),
        }
        return TemplateResponse(
            request, "admin/django_voicepassword/callrequest/confirm.html", context
        )


def _do(name: str, action: Action, call: CallRequest) -> str:
    """Do it; what the message says."""
    if name == "ask":
        status = polling.refresh(call.pk)
        word = status.get_state_display() if status is not None else CallStatus.OTHER
        return _("The provider says: %(state)s.") % {"state": word}
    if name == "unblock":
        limits.unblock(call.phone)
    elif call.verification is None:
        raise ValueError(str(action.why))
    elif name == "cancel":
        if verifications.cancel(call.verification.id).status != Verification.Status.CANCELED:
            raise ValueError(str(action.why))
    else:
        # Without the request: the limits count the customer's address and device, not those of the
        # staff.
        verifications.resend(call.verification.id, channel=action.channel)
    return str(action.done)


@dataclass(frozen=True)
class LimitUsage:
    """How a number stands with its limits: (rate, used, allowed) of each that is used, and whether
    support may forget it.
    """

    phone: str = field(repr=False)
    used: list[tuple[str, int, int]]
    may_unblock: bool


def limit_usage(query: str, request: HttpRequest) -> LimitUsage | None:
    """The standing of a whole number that was searched for; None for any other text."""
    phone = search.whole_number(query)
    if phone is None:
        return None
    return LimitUsage(phone, limits.usage(phone), request.user.has_perm(f"{_APP}.unblock_phone"))
