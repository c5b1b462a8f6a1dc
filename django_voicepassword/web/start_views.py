"""The pages that ask for a phone number and start a call: login, and confirmation of a number."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from django_voicepassword.accounts import confirmation, users
from django_voicepassword.accounts import own_phones as own_numbers
from django_voicepassword.exceptions import ChallengeRequired, VerificationError
from django_voicepassword.models import ConsentText, Verification
from django_voicepassword.security import masking
from django_voicepassword.verifications import messages
from django_voicepassword.web import challenges, consent, session
from django_voicepassword.web.base import PageView
from django_voicepassword.web.context import shown_number, start_context
from django_voicepassword.web.forms import PhoneForm


class StartPageView(PageView):
    """Base class of the pages that ask for a phone number and start a call.

    If this browser already has an open verification of the same number, that one continues and no
    second call is made.
    """

    #: What the verification is started for.
    purpose = ""

    def start(self, form: PhoneForm, is_typed: bool = True) -> HttpResponseBase:
        """Start a verification and redirect to the code page, or show the form with its errors.

        ``is_typed``: the person typed the number, so it is shown again to be corrected.
        """
        if not form.is_valid():
            return self.render_form(form, status=400)
        phone, channel = form.cleaned_data["phone"], form.cleaned_data["channel"] or None
        if consent.has_changed(self.request):
            return self.render_form(form, status=409)
        challenges.read_answer(self.request)
        try:
            shown = consent.shown(self.request)
            session.begin(self.request, phone, channel, self.purpose, shown)
        except VerificationError as error:
            if not is_typed:
                # No page repeats a whole phone number but to whoever has typed it.
                form.data = {}
            if isinstance(error, ChallengeRequired):
                form.lose_focus()
            else:
                form.add_error("phone", messages.error_text(error))
            return self.render_form(form, error=error)
        return self.redirect_to_page("code")

    def render_form(
        self,
        form: PhoneForm,
        error: VerificationError | None = None,
        status: int = 200,
        is_canceled: bool = False,
    ) -> HttpResponse:
        context = {
            "form": form,
            "challenge_error": challenges.error_text(self.request, error),
            "is_canceled": is_canceled,
            **self.consent_context(),
            **start_context(),
            **self.extra_context(),
        }
        return self.render(context, error=error, status=status)

    def consent_context(self) -> dict[str, object]:
        text = consent.text()
        return {
            "consent": text,
            "consent_digest": ConsentText.digest_of(text),
            "consent_changed": consent.has_changed(self.request),
        }

    def extra_context(self) -> dict[str, object]:
        return {}

    def render_first_form(self) -> HttpResponse:
        """Show the form, with the number that this browser has typed before and not proved."""
        last = session.unproved(self.request, self.purpose)
        form = PhoneForm(initial={"phone": shown_number(last)} if last else None)
        is_canceled = last is not None and last.status == Verification.Status.CANCELED
        return self.render_form(form, is_canceled=is_canceled)


class LoginView(StartPageView):
    """Asks an anonymous person for the phone number and has it called.

    Whoever is logged in already is sent on. Where there is no page to go to, this one says so.
    """

    template_name = "voicepassword/login.html"
    purpose = "login"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.render_first_form()
        return self.redirect_to_next() if self.target_url else self.render_logged_in()

    def render_logged_in(self) -> HttpResponse:
        self.template_name = "voicepassword/logged_in.html"
        numbers = users.phones_of(self.request.user)
        name = masking.mask(numbers[0]) if numbers else self.request.user.get_username()
        return self.render({"name": name, "logout": self.page_url("logout")})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if self.is_logged_in():
            return self.redirect_to_next()
        return self.start(PhoneForm(request.POST))


class ConfirmView(StartPageView):
    """Has a logged-in person prove the phone number again before an important step.

    ``decorators.phone_verified_required`` redirects to this page.
    """

    template_name = "voicepassword/confirm.html"
    page_name = "confirm"
    purpose = confirmation.PURPOSE

    def get(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.redirect_to_page("login")
        return self.render_first_form()

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if not self.is_logged_in():
            return self.redirect_to_page("login")
        own_phones = users.phones_of(request.user)
        if not own_phones:
            return self.start(PhoneForm(request.POST))
        # One of several, where the person may not have the phone of the first at hand.
        phone = self.own_rows().get(request.POST.get("own", ""), own_phones[0])
        form = PhoneForm({**request.POST.dict(), "phone": f"+{phone}"})
        return self.start(form, is_typed=False)

    def own_rows(self) -> dict[str, str]:
        """The proved numbers of the person by their primary keys."""
        rows = own_numbers.of_user(self.request.user)
        return {str(row.pk): row.phone for row in rows}

    def extra_context(self) -> dict[str, object]:
        own_phones = users.phones_of(self.request.user)
        rows = self.own_rows()
        asked = self.request.POST.get("own") or self.request.GET.get("own")
        chosen = asked if asked in rows else next(iter(rows), None)
        return {
            "phone": masking.mask(own_phones[0]) if own_phones else "",
            "choices": [
                {"key": key, "phone": masking.mask(phone), "is_chosen": key == chosen}
                for key, phone in rows.items()
            ],
        }
