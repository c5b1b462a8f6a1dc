"""The pages of a login by phone. Each view parses, calls one verb and renders; no rule lives here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import logout
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _

from django_voicepassword import verifications
from django_voicepassword.accounts import confirmation, login, users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security import masking, trusted_devices
from django_voicepassword.verifications import messages
from django_voicepassword.verifications.description import describe
from django_voicepassword.web import session
from django_voicepassword.web.base import Page
from django_voicepassword.web.context import clock, hint, seconds_until, starting_with
from django_voicepassword.web.forms import CodeForm, PhoneForm


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
            session.begin(request, given["phone"], given["channel"] or None)
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
            session.begin(request, given["phone"], given["channel"] or None, confirmation.PURPOSE)
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
        found = session.current(self.request)
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
                login.log_in_session(
                    request,
                    login.authenticate_phone(request, verification.id, form.cleaned_data["code"]),
                )
        except Verification.DoesNotExist:
            return self.lost()
        except VerificationError as error:
            return self.tell(verification, form, error)
        session.forget(request)
        response = self.leave()
        trusted_devices.remember(request, response, verification.phone)
        return response

    def tell(
        self, verification: Verification, form: CodeForm, error: VerificationError
    ) -> HttpResponse:
        if isinstance(error, Refused):
            # The code was right and is spent: this way ends here.
            session.forget(self.request)
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
        verification = session.current(request)
        if verification is not None:
            verifications.cancel(verification.id)
        return self.go("confirm" if self.is_logged_in() else "login")


class StateView(Page):
    """The verification of this browser as the API tells it, for the live state of the page."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = session.current(request)
        if verification is None:
            return JsonResponse({"code": "not_found", "detail": _("Not found.")}, status=404)
        return JsonResponse(asdict(describe(verification)))

    def apologize(self, error: VerificationError) -> HttpResponse:
        return JsonResponse(messages.error_body(error), status=error.status_code)


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
