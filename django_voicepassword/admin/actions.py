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
from django_voicepassword.admin import prices, unblocking
from django_voicepassword.admin.addresses import customer_address, page_address
from django_voicepassword.admin.obstacles import Situation
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

    ``success`` goes into the message and the admin's history. An action with a ``channel`` sends
    the code there, which costs money.
    """

    permission: str
    label: str | Promise
    success: str | Promise
    channel: str = ""


ACTIONS = {
    "voice": Action(
        "send_voice",
        gettext_lazy("Let a robot call and say the code"),
        gettext_lazy("Had a robot call and say the code."),
        "voice",
    ),
    "sms": Action(
        "send_sms",
        gettext_lazy("Send the code by SMS"),
        gettext_lazy("Sent the code by SMS."),
        "sms",
    ),
    "ask": Action(
        "ask_provider",
        gettext_lazy("Ask the provider now"),
        gettext_lazy("Asked the provider for the state."),
    ),
    "unblock": Action("unblock_phone", unblocking.LABEL, unblocking.UNBLOCKED),
    "cancel": Action(
        "cancel_verification",
        gettext_lazy("Cancel the verification"),
        gettext_lazy("Canceled the verification."),
    ),
}
#: The query parameter that says where an action leads afterwards, and its value for the page of
#: the customer; else it is the page of the call.
BACK, CUSTOMER = "back", "customer"


@dataclass(frozen=True)
class AvailableAction:
    """An action that the user has the permission for, as a page shows it.

    ``label`` has the price of what costs money. ``obstacle`` explains why it is not possible now;
    it is empty where it is possible. ``is_main`` marks the one that helps most.
    """

    label: str
    address: str
    costs: bool
    obstacle: str = ""
    is_main: bool = False


def available_actions(
    situation: Situation, request: HttpRequest, site: admin.AdminSite, back: str = ""
) -> list[AvailableAction]:
    """Return the actions that the user has the permission for. ``back`` is a value of BACK."""
    names = [
        name for name, one in ACTIONS.items() if request.user.has_perm(f"{_APP}.{one.permission}")
    ]
    obstacles = {name: situation.obstacle(name) for name in names}
    main = _main(situation, [name for name in names if not obstacles[name]])
    query = f"?{BACK}={back}" if back else ""
    address = "django_voicepassword_callrequest_do"
    return [
        AvailableAction(
            _label(ACTIONS[name], situation),
            page_address(site, address, situation.call.pk, name) + query,
            bool(ACTIONS[name].channel),
            obstacles[name],
            name == main,
        )
        for name in names
    ]


def _label(action: Action, situation: Situation) -> str:
    if not action.channel:
        return str(action.label)
    price = limits.expected_price(action.channel, situation.call.phone, situation.now)
    return _("%(action)s, about %(price)s") % {
        "action": action.label,
        "price": money.exact(price, situation.currency),
    }


def _main(situation: Situation, possible: list[str]) -> str:
    """Return the name of the action that helps most, of those that are possible; or ""."""
    call, state = situation.call, CallRequest.State
    preferred = ["unblock"] if situation.is_exhausted else []
    if call.state not in CallRequest.UNSENT_STATES and not call.is_final:
        preferred.append("ask")
    is_long = call.verification is not None and call.verification.is_long
    preferred += channels.following(situation.calls, is_long)
    if call.channel == CallRequest.Channel.VOICE and call.state != state.FAILED:
        preferred.append("voice")
    return next((name for name in preferred if name in possible), "")


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
        back = HttpResponseRedirect(self._after(request, call))
        if request.method != "POST":
            return self._confirmation(request, action, call) if action.channel else back
        obstacle = Situation.of(call).obstacle(name)
        if obstacle:
            messages.info(request, f"{action.label}: {obstacle}")
            return back
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

    def _after(self, request: HttpRequest, call: CallRequest) -> str:
        """Return the address to which an action leads back."""
        if request.GET.get(BACK) == CUSTOMER:
            address = customer_address(self.admin_site, ("call", call.pk))
            if address:
                return address
        return page_address(self.admin_site, "django_voicepassword_callrequest_change", call.pk)

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
            "is_sms": action.channel == CallRequest.Channel.SMS,
            "opts": CallRequest._meta,
            "price": money.exact(price, prices.currency()),
            "back": self._after(request, call),
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
    verification = call.verification
    if verification is None:
        raise ValueError(_("This site sent no code by this call."))
    if name == "cancel":
        if verifications.cancel(verification.id).status != Verification.Status.CANCELED:
            raise ValueError(_("The verification is over already."))
    else:
        # Do not pass the request: the limits must count the customer's address and device, not
        # those of the staff.
        verifications.resend(verification.id, channel=action.channel)
    return str(action.success)
