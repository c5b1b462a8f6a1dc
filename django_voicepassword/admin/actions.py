"""What support can do about a call.

Each action needs its own permission, is done only by POST and is noted in the admin's history.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword import limits, verifications
from django_voicepassword.admin import unblocking
from django_voicepassword.admin.base import page_address
from django_voicepassword.calls import polling
from django_voicepassword.exceptions import ProviderError, VerificationError
from django_voicepassword.models import CallRequest, CallStatus, Verification, money
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.messages import error_text

_APP = "django_voicepassword"


@dataclass(frozen=True)
class Action:
    """Something support can do about a call.

    ``success`` goes into the message and the admin's history; ``obstacle`` explains why the
    action is not possible. An action with a ``channel`` sends the code there, which costs money.
    """

    permission: str
    label: str | Promise
    success: str | Promise
    obstacle: str | Promise
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
            "An SMS needs a verification that is still open and a call of it "
            "that the provider took."
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
        unblocking.UNBLOCKED,
        gettext_lazy("No limit of this number is used."),
    ),
}


@dataclass(frozen=True)
class AvailableAction:
    """An action that the user has the permission for, as the page of a call shows it.

    ``obstacle`` explains why it is not possible now; it is empty where it is possible.
    """

    label: str
    address: str
    costs: bool
    obstacle: str = ""


def available_actions(
    call: CallRequest, calls: list[CallRequest], request: HttpRequest, site: admin.AdminSite
) -> list[AvailableAction]:
    """Return the actions that the user has the permission for.

    ``calls`` are all calls of the same verification, ``call`` included.
    """
    return [
        AvailableAction(
            str(action.label),
            page_address(site, "django_voicepassword_callrequest_do", call.pk, name),
            bool(action.channel),
            "" if _is_possible(name, call, calls) else str(action.obstacle),
        )
        for name, action in ACTIONS.items()
        if request.user.has_perm(f"{_APP}.{action.permission}")
    ]


def _is_possible(name: str, call: CallRequest, calls: list[CallRequest]) -> bool:
    if name == "ask":
        return bool(call.provider_id) and call.service != CallRequest.TEST_SERVICE
    if name == "unblock":
        return bool(limits.usage(call.phone))
    verification = call.verification
    if verification is None or not verification.is_open:
        return False
    if name == "cancel":
        return True
    return ACTIONS[name].channel in channels.possible(calls, verification.is_long)


class SupportMixin(admin.ModelAdmin):
    """Adds ``<id>/do/<action>/`` to the admin of calls."""

    @method_decorator(sensitive)
    def do_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Do the action on POST; on GET ask for confirmation if the action costs money.

        Raises PermissionDenied without the permission of the action.
        """
        action = ACTIONS.get(name)
        call: CallRequest | None = self.get_object(request, object_id)
        if action is None or call is None:
            raise Http404
        self._check_permission(request, action)
        back = HttpResponseRedirect(
            page_address(self.admin_site, "django_voicepassword_callrequest_change", call.pk)
        )
        if request.method != "POST":
            return self._confirmation(request, action, call) if action.channel else back
        try:
            message = _perform(name, action, call, request)
        except VerificationError as error:
            messages.error(request, error_text(error))
        except (ProviderError, ValueError, ImproperlyConfigured) as error:
            messages.error(request, _("It could not be done: %(error)s") % {"error": error})
        else:
            self.log_change(request, call, message if name == "unblock" else str(action.success))
            messages.success(request, message)
        return back

    def _check_permission(self, request: HttpRequest, action: Action) -> None:
        permissions = (f"{_APP}.view_callrequest", f"{_APP}.{action.permission}")
        if not request.user.has_perms(permissions):
            raise PermissionDenied

    def _confirmation(
        self, request: HttpRequest, action: Action, call: CallRequest
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        price = limits.expected_price(action.channel, call.phone, timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "call": call,
            "opts": CallRequest._meta,
            "price": money.exact(price),
        }
        return TemplateResponse(
            request, "admin/django_voicepassword/callrequest/confirm.html", context
        )


def _perform(name: str, action: Action, call: CallRequest, request: HttpRequest) -> str:
    """Do the action and return the message for the user."""
    if name == "ask":
        status = polling.refresh(call.pk)
        state = status.get_state_display() if status is not None else CallStatus.OTHER
        return _("The provider says: %(state)s.") % {"state": state}
    if name == "unblock":
        return unblocking.unblock(call.phone, request)
    if call.verification is None:
        raise ValueError(str(action.obstacle))
    if name == "cancel":
        if verifications.cancel(call.verification.id).status != Verification.Status.CANCELED:
            raise ValueError(str(action.obstacle))
    else:
        # Do not pass the request: the limits must count the customer's address and device, not
        # those of the staff.
        verifications.resend(call.verification.id, channel=action.channel)
    return str(action.success)
