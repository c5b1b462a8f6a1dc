"""The pages of a login by phone. Each view parses the request, calls one verb and renders."""

from __future__ import annotations

from dataclasses import asdict

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
from django_voicepassword.accounts import confirmation, devices, login, users
from django_voicepassword.exceptions import (
    ChallengeRequired,
    InvalidPhone,
    Refused,
    VerificationError,
)
from django_voicepassword.models import Verification
from django_voicepassword.security import masking, trusted_devices
from django_voicepassword.verifications import messages
from django_voicepassword.verifications.description import describe
from django_voicepassword.web import challenges, session
from django_voicepassword.web.base import PageView
from django_voicepassword.web.context import code_context, start_context
from django_voicepassword.web.forms import CodeForm, PhoneForm


class StartPageView(PageView):
    """Base class of the pages that ask for a phone number and start a call.

    If this browser already has an open verification of the same number, that one continues and no
    second call is made.
    """

    #: What the verification is started for.
    purpose = ""

    def start(self, form: PhoneForm, is_typed: bool = True) -> HttpResponseBase:
        """Start a verification and redirect to the code page, or show the form with its errors.

        ``is_typed``: the person typed the number, so a mistyped one may be shown again.
        """
        if not form.is_valid():
            return self.render_form(form, status=400)
        phone, channel = form.cleaned_data["phone"], form.cleaned_data["channel"] or None
        challenges.read_answer(self.request)
        try:
            session.begin(self.request, phone, channel, self.purpose)
        except VerificationError as error:
            if not (is_typed and isinstance(error, (InvalidPhone, ChallengeRequired))):
                # No page repeats a whole phone number but to whoever has just typed it and has to
                # send it again.
                form.data = {}
            if isinstance(error, ChallengeRequired):
                form.lose_focus()
            else:
                form.add_error("phone", messages.error_text(error))
            return self.render_form(form, error=error)
        return self.redirect_to_page("code")

    def render_form(
        self, form: PhoneForm, error: VerificationError | None = None, status: int = 200
    ) -> HttpResponse:
        context = {
            "form": form,
            "challenge_error": challenges.error_text(self.request, error),
            **start_context(),
            **self.extra_context(),
        }
        return self.render(context, error=error, status=status)

    def extra_context(self) -> dict[str, object]:
        return {}


class LoginView(StartPageView):
    """Asks an anonymous person for the phone number and has it called."""

    template_name = "voicepassword/login.html"
    purpose = "login"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect_to_next() if self.is_logged_in() else self.render_form(PhoneForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if self.is_logged_in():
            return self.redirect_to_next()
        return self.start(PhoneForm(request.POST))


class ConfirmView(StartPageView):
    """Has a logged-in person prove the phone number again before an important step.

    ``decorators.phone_verified_required`` redirects to this page.
    """

    template_name = "voicepassword/confirm.html"
    purpose = confirmation.PURPOSE

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.redirect_to_page("login")
        return self.render_form(PhoneForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.redirect_to_page("login")
        own_phones = users.phones_of(request.user)
        if not own_phones:
            return self.start(PhoneForm(request.POST))
        form = PhoneForm({**request.POST.dict(), "phone": f"+{own_phones[0]}"})
        return self.start(form, is_typed=False)

    def extra_context(self) -> dict[str, object]:
        own_phones = users.phones_of(self.request.user)
        return {"phone": masking.mask(own_phones[0]) if own_phones else ""}


class CodePageView(PageView):
    """Base class of the views that show the code page."""

    template_name = "voicepassword/code.html"

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

    def redirect_without_verification(self) -> HttpResponseRedirect:
        return self.redirect_to_next() if self.is_logged_in() else self.redirect_to_page("login")

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
        context = {
            **code_context(description),
            "form": form or CodeForm(code_length=description.code_length),
            "addresses": {
                "start": self.page_url("confirm" if is_logged_in else "login"),
                **{name: self.page_url(name) for name in ("code", "resend", "cancel", "state")},
            },
            "action": _("Confirm") if is_logged_in else _("Log in"),
            # Whoever asks for a longer code may have to solve a challenge before it is sent.
            "offers_longer_code": description.resend_at is not None
            and (getattr(error, "offers_longer_code", False) or "longer" in self.request.POST),
            "is_number_fixed": is_logged_in and bool(users.phones_of(self.request.user)),
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


class CancelView(PageView):
    """Cancels the verification of a wrong number; the next page asks for another number."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect_to_page("code")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        verification = session.current(request)
        if verification is not None:
            verifications.cancel(verification.id)
        return self.redirect_to_page("confirm" if self.is_logged_in() else "login")


class StateView(PageView):
    """The verification of this browser as JSON, in the form of the API, for the page's script."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        verification = session.current(request)
        session.keep_cookie(request)
        if verification is None:
            return JsonResponse({"code": "not_found", "detail": _("Not found.")}, status=404)
        return JsonResponse(asdict(describe(verification)))

    def render_unavailable(self, error: VerificationError) -> HttpResponse:
        return JsonResponse(messages.error_body(error), status=error.status_code)


class LogoutView(PageView):
    """Logs out by POST; GET asks for a confirmation."""

    template_name = "voicepassword/logout.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.render() if self.is_logged_in() else self.redirect_to_page("login")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        logout(request)
        if self.next_url:
            return HttpResponseRedirect(self.next_url)
        redirect_url = django_settings.LOGOUT_REDIRECT_URL
        if redirect_url:
            return HttpResponseRedirect(resolve_url(redirect_url))
        return self.redirect_to_page("login")
