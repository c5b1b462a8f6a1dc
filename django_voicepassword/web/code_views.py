"""The page that asks for the code, and what its buttons and its script ask for."""

from __future__ import annotations

from dataclasses import asdict

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.utils.translation import gettext as _

from django_voicepassword import verifications
from django_voicepassword.accounts import confirmation, devices, login, users
from django_voicepassword.exceptions import Refused, VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.security import trusted_devices
from django_voicepassword.verifications import messages
from django_voicepassword.verifications.description import describe
from django_voicepassword.web import challenges, session
from django_voicepassword.web.base import PageView
from django_voicepassword.web.context import code_context, shown_number
from django_voicepassword.web.forms import CodeForm


class CodePageView(PageView):
    """Base class of the views that show the code page."""

    template_name = "voicepassword/code.html"
    page_name = "code"

    def current_verification(self) -> Verification | None:
        """The verification of this browser; None if there is none that this person may continue.

        A logged-in person may only confirm a number, an anonymous one may only log in. A canceled
        verification counts as none: no code can be typed for it.
        """
        verification = session.current(self.request)
        if verification is None or verification.status == Verification.Status.CANCELED:
            return None
        if verification.purpose == confirmation.PURPOSE:
            is_own = (
                verification.user_id is not None and verification.user_id == self.request.user.pk
            )
            return verification if is_own else None
        return None if self.is_logged_in() else verification

    def is_outdated(self, verification: Verification) -> bool:
        """Whether the form is of another verification, which another tab has replaced since."""
        shown = self.request.POST.get("verification", "")
        return not str(verification.id).startswith(shown)

    def redirect_without_verification(self) -> HttpResponseRedirect:
        return self.redirect_to_next() if self.is_logged_in() else self.redirect_to_page("login")

    def start_page(self, verification: Verification) -> str:
        """The name of the page that asks for another number than that of the verification."""
        if not self.is_logged_in():
            return "login"
        own_phones = users.phones_of(self.request.user)
        return "phones" if own_phones and verification.phone not in own_phones else "confirm"

    def render_form(
        self,
        verification: Verification,
        form: CodeForm | None = None,
        error: VerificationError | None = None,
        status: int = 200,
        **extra: object,
    ) -> HttpResponse:
        description = describe(verification)
        is_logged_in = self.is_logged_in()
        is_number_fixed = is_logged_in and verification.phone in users.phones_of(self.request.user)
        is_whole = description.status == Verification.Status.PENDING and not is_number_fixed
        context = {
            **code_context(description),
            # Whole, to the browser that typed it.
            "number": shown_number(verification) if is_whole else description.phone,
            "form": form or CodeForm(code_length=description.code_length),
            "addresses": {
                "start": self.page_url(self.start_page(verification)),
                **{name: self.page_url(name) for name in ("code", "resend", "cancel", "state")},
            },
            "action": _("Confirm") if is_logged_in else _("Log in"),
            # Whoever asks for a longer code may have to solve a challenge before it is sent.
            "offers_longer_code": description.resend_at is not None
            and (getattr(error, "offers_longer_code", False) or "longer" in self.request.POST),
            "is_number_fixed": is_number_fixed,
            **extra,
        }
        return self.render(context, error=error, status=status)


class CodeView(CodePageView):
    """Asks for the code; the right one logs in, or confirms the number of a logged-in person."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.current_verification()
        if verification is None:
            return self.redirect_without_verification()
        return self.render_form(verification)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.current_verification()
        if verification is None:
            return self.redirect_without_verification()
        form = CodeForm(request.POST, code_length=verification.code_length)
        if not form.is_valid():
            return self.render_form(verification, form, status=400)
        if self.is_outdated(verification):
            form.add_error("code", _("That was the code of an earlier call. Enter the newest one."))
            return self.render_form(verification, form, status=409)
        try:
            if self.is_logged_in():
                confirmation.confirm(request, verification.id, form.cleaned_data["code"])
            else:
                login.log_in_session(
                    request,
                    login.authenticate_phone(request, verification.id, form.cleaned_data["code"]),
                )
        except Verification.DoesNotExist:
            return self.redirect_without_verification()
        except VerificationError as error:
            return self.render_error(verification, form, error)
        session.forget(request)
        response = self.redirect_to_next()
        if not form.cleaned_data["do_not_remember"]:
            device = devices.remember(request, verification.phone, request.user)
            trusted_devices.set_cookie(request, response, device)
        return response

    def render_error(
        self, verification: Verification, form: CodeForm, error: VerificationError
    ) -> HttpResponse:
        if isinstance(error, Refused):
            # This verification leads nowhere: the person has to start again.
            session.forget(self.request)
        verification.refresh_from_db()
        form.add_error("code", messages.error_text(error))
        return self.render_form(verification, form, error=error)


class ResendView(CodePageView):
    """Sends the code again, by the channel whose button was pressed."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect_to_page("code")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = self.current_verification()
        if verification is None:
            return self.redirect_without_verification()
        if self.is_outdated(verification):
            return self.redirect_to_page("code")
        challenges.read_answer(request)
        try:
            verifications.resend(verification.id, request.POST.get("channel") or None, request)
        except Verification.DoesNotExist:
            return self.redirect_without_verification()
        except VerificationError as error:
            verification.refresh_from_db()
            resend_error = challenges.error_text(request, error) or messages.error_text(error)
            return self.render_form(verification, error=error, resend_error=resend_error)
        return self.redirect_to_page("code")


class CancelView(CodePageView):
    """Cancels the verification of a wrong number; the next page asks for another number."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect_to_page("code")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = session.current(request)
        if verification is None:
            return self.redirect_to_page("confirm" if self.is_logged_in() else "login")
        if self.is_outdated(verification):
            return self.redirect_to_page("code")
        verifications.cancel(verification.id)
        return self.redirect_to_page(self.start_page(verification))


class StateView(PageView):
    """The verification of this browser as JSON for the page's script.

    It has the fields of the API, ``stage`` and ``takes_code``.
    """

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = session.current(request)
        session.keep_cookie(request)
        if verification is None:
            return JsonResponse({"code": "not_found", "detail": _("Not found.")}, status=404)
        return JsonResponse(asdict(describe(verification)))

    def render_unavailable(self, error: VerificationError) -> HttpResponse:
        return JsonResponse(messages.error_body(error), status=error.status_code)
