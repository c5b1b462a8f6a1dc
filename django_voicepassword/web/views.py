"""The pages of a login by phone. Each view parses, calls one verb and renders; no rule lives here."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from math import ceil
from typing import Any
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import time_format
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from django_voicepassword import verifications
from django_voicepassword.accounts import confirmation, login, users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, Refused, Unavailable, VerificationError
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import masking, trusted_devices
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import NO_DATABASE, non_atomic_requests, unavailable
from django_voicepassword.verifications import channels, messages
from django_voicepassword.verifications.description import Description, describe
from django_voicepassword.web import journey
from django_voicepassword.web.forms import CodeForm, PhoneForm

NEXT = "next"


# A rollback would un-count a guess: these views are never wrapped in ATOMIC_REQUESTS' transaction.
@method_decorator(non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("phone", "code"), name="dispatch")
@method_decorator(sensitive, name="dispatch")
@method_decorator(never_cache, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class Page(View):
    """What the pages share: ``template_name``, the address to go to afterwards, and how an error is
    told.
    """

    template_name = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Unavailable as error:
            # Whoever raised it told the log.
            return self.apologize(error)
        except NO_DATABASE as error:
            return self.apologize(unavailable(error))

    def apologize(self, error: VerificationError) -> HttpResponse:
        """Not even what this browser is at can be read: a page that asks the database for nothing."""
        # Without the request no context processor asks either.
        text = render_to_string(
            "voicepassword/unavailable.html", {"text": messages.error_text(error)}
        )
        return HttpResponse(text, status=messages.http_status(error))

    @property
    def next(self) -> str:
        """Where to go after the login, "" where nothing safe was asked for."""
        wanted = self.request.POST.get(NEXT) or self.request.GET.get(NEXT) or ""
        is_safe = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )
        # Django lets "//" pass, which names no host; no browser can go there.
        return wanted if is_safe and not wanted.startswith("//") else ""

    def address(self, name: str) -> str:
        """The page of this name, with ``next`` in its query."""
        query = f"?{urlencode({NEXT: self.next})}" if self.next else ""
        return f"{reverse(f'{self.request.resolver_match.namespace}:{name}')}{query}"  # type: ignore[union-attr]

    def go(self, name: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.address(name))

    def leave(self) -> HttpResponseRedirect:
        """To where the person wanted to go."""
        return HttpResponseRedirect(self.next or resolve_url(django_settings.LOGIN_REDIRECT_URL))

    def is_logged_in(self) -> bool:
        return bool(self.request.user.is_authenticated)

    def page(
        self, error: VerificationError | None = None, status: int = 200, **context: Any
    ) -> HttpResponse:
        """The page; with ``error`` its status and, where it carries one, Retry-After."""
        response = TemplateResponse(
            self.request,
            self.template_name,
            {"next": self.next, "error": error, **context},
            status=messages.http_status(error) if error else status,
        )
        if error is not None and hasattr(error, "retry_after"):
            response["Retry-After"] = str(error.retry_after)
        return response


class LoginView(Page):
    """The phone. A verification that this browser has open for it is gone on with; nobody is rung
    twice.
    """

    template_name = "voicepassword/login.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.leave() if self.is_logged_in() else self.ask(PhoneForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if self.is_logged_in():
            return self.leave()
        form = PhoneForm(request.POST)
        if not form.is_valid():
            return self.ask(form, status=400)
        given = form.cleaned_data
        try:
            journey.begin(request, given["phone"], given["channel"] or None)
        except VerificationError as error:
            if not isinstance(error, InvalidPhone):
                # A whole number is never sent back in a page.
                form.data = {}
            form.add_error("phone", messages.error_text(error))
            return self.ask(form, error=error)
        return self.go("code")

    def ask(self, form: PhoneForm, **context: Any) -> HttpResponse:
        return self.page(form=form, **starting_with(), **context)


class ConfirmView(Page):
    """Who is logged in proves the phone once more, before an important step. See ``guards``."""

    template_name = "voicepassword/confirm.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.ask(PhoneForm()) if self.is_logged_in() else self.go("login")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.go("login")
        own = users.phones_of(request.user)
        form = PhoneForm({**request.POST.dict(), "phone": f"+{own[0]}"} if own else request.POST)
        if not form.is_valid():
            return self.ask(form, status=400)
        given = form.cleaned_data
        try:
            journey.begin(request, given["phone"], given["channel"] or None, confirmation.PURPOSE)
        except VerificationError as error:
            if own or not isinstance(error, InvalidPhone):
                # A whole number is never sent back in a page.
                form.data = {}
            form.add_error("phone", messages.error_text(error))
            return self.ask(form, error=error)
        return self.go("code")

    def ask(self, form: PhoneForm, **context: Any) -> HttpResponse:
        own = users.phones_of(self.request.user)
        return self.page(
            form=form, phone=masking.mask(own[0]) if own else "", **starting_with(), **context
        )


class CodePage(Page):
    """What the views of the second page share."""

    template_name = "voicepassword/code.html"

    def verification(self) -> Verification | None:
        """The one that this browser is at; None also where it was canceled: there is nothing to
        type then.

        Who is logged in may only confirm a number, and who is not may only log in.
        """
        found = journey.current(self.request)
        if found is None or found.status == Verification.Status.CANCELED:
            return None
        if found.purpose == confirmation.PURPOSE:
            return (
                found
                if found.user_id is not None and found.user_id == self.request.user.pk
                else None
            )
        return None if self.is_logged_in() else found

    def lost(self) -> HttpResponseRedirect:
        """There is nothing to type."""
        return self.leave() if self.is_logged_in() else self.go("login")

    def ask(
        self, verification: Verification, form: CodeForm | None = None, **context: Any
    ) -> HttpResponse:
        description = describe(verification)
        return self.page(
            form=form or CodeForm(description=description),
            verification=description,
            is_open=description.status == Verification.Status.PENDING,
            channels=[
                {
                    "name": name,
                    "label": messages.channel_action(name),
                    "is_offered": name in description.next_channels,
                }
                for name in settings.CHANNELS
            ],
            hint=hint(description),
            resend_in=seconds_until(description.resend_at),
            resend_clock=clock(description.resend_at),
            expires_clock=clock(description.expires_at),
            addresses={
                "start": self.address("confirm" if self.is_logged_in() else "login"),
                **{name: self.address(name) for name in ("code", "resend", "cancel", "state")},
            },
            action=_("Confirm") if self.is_logged_in() else _("Log in"),
            is_number_fixed=self.is_logged_in() and bool(users.phones_of(self.request.user)),
            **context,
        )


class CodeView(CodePage):
    """The code. The right one logs in."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.verification()
        return self.lost() if verification is None else self.ask(verification)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.verification()
        if verification is None:
            return self.lost()
        form = CodeForm(request.POST, description=describe(verification))
        if not form.is_valid():
            return self.ask(verification, form, status=400)
        try:
            if self.is_logged_in():
                confirmation.confirm(request, verification.id, form.cleaned_data["code"])
            else:
                user = login.authenticate_phone(request, verification.id, form.cleaned_data["code"])
                login.log_in_session(request, user, verification)
        except Verification.DoesNotExist:
            return self.lost()
        except VerificationError as error:
            return self.tell(verification, form, error)
        journey.forget(request)
        response = self.leave()
        trusted_devices.remember(request, response, verification.phone)
        return response

    def tell(
        self, verification: Verification, form: CodeForm, error: VerificationError
    ) -> HttpResponse:
        if isinstance(error, Refused):
            # The code was right and is spent: this way ends here.
            journey.forget(self.request)
        verification.refresh_from_db()
        form.add_error("code", messages.error_text(error))
        return self.ask(verification, form, error=error)


class ResendView(CodePage):
    """The code once more, by the channel whose button was pressed."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.go("code")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.verification()
        if verification is None:
            return self.lost()
        try:
            verifications.resend(verification.id, request.POST.get("channel") or None, request)
        except Verification.DoesNotExist:
            return self.lost()
        except VerificationError as error:
            verification.refresh_from_db()
            return self.ask(verification, error=error, resend_error=messages.error_text(error))
        return self.go("code")


class CancelView(Page):
    """Wrong number: nothing more is called for it, and another may be entered."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.go("code")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = journey.current(request)
        if verification is not None:
            verifications.cancel(verification.id)
        return self.go("confirm" if self.is_logged_in() else "login")


class StateView(Page):
    """The verification of this browser as the API tells it, for the live state of the page."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = journey.current(request)
        if verification is None:
            return JsonResponse({"code": "not_found", "detail": _("Not found.")}, status=404)
        return JsonResponse(asdict(describe(verification)))

    def apologize(self, error: VerificationError) -> HttpResponse:
        return JsonResponse(messages.error_body(error), status=messages.http_status(error))


class LogoutView(Page):
    """Log out by POST; GET asks."""

    template_name = "voicepassword/logout.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.page() if self.is_logged_in() else self.go("login")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        logout(request)
        if self.next:
            return HttpResponseRedirect(self.next)
        home = django_settings.LOGOUT_REDIRECT_URL
        return HttpResponseRedirect(resolve_url(home)) if home else self.go("login")


def starting_with() -> dict[str, Any]:
    """What a page says that starts a call: what will happen, and its buttons."""
    first, *others = settings.CHANNELS
    return {
        "explanation": explanation(first),
        "first_action": first_action(first),
        "other_channels": [
            {"name": name, "label": first_action(name)}
            for name in others
            if name != CallRequest.Channel.SMS
        ],
    }


def explanation(channel: str) -> str:
    """What will happen after the phone is sent."""
    if channel == CallRequest.Channel.VOICE:
        return _("A robot will call you and say the code.")
    digits = channels.code_length(channel)
    return ngettext(
        "We will call you. Do not answer: the code is the last %(digits)d digit of the number that calls.",
        "We will call you. Do not answer: the code is the last %(digits)d digits of the number that calls.",
        digits,
    ) % {"digits": digits}


def first_action(channel: str) -> str:
    """What a button says that starts with ``channel``."""
    return (
        _("Let a robot call and say the code")
        if channel == CallRequest.Channel.VOICE
        else _("Call me")
    )


def hint(description: Description) -> str:
    """The sentence for the person as HTML, with its masked phone in one piece."""
    phone = format_html('<strong class="vp-phone">{}</strong>', description.phone)
    before, found, after = description.hint.partition(description.phone)
    return format_html("{}{}{}", before, phone if found else "", after)


def seconds_until(moment: datetime | None) -> int | None:
    """Whole seconds from now, 0 for a moment that is past."""
    return None if moment is None else max(ceil((moment - timezone.now()).total_seconds()), 0)


def clock(moment: datetime | None) -> str:
    """A time of day in the current time zone; the script writes it anew in the browser's own."""
    if moment is None:
        return ""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return format_html(
        '<time datetime="{}">{}</time>', local.isoformat(), time_format(local, "H:i:s")
    )
