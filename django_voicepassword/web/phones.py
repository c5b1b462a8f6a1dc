"""The pages of one's own numbers and of the devices that are trusted for them.

A number is added, and replaced, by proving the new one; it is removed after a proof of any own
number. The session remembers nothing but the verification: what follows a proof is in ``next``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from django_voicepassword import phones
from django_voicepassword.accounts import confirmation, devices, own_phones, proofs, users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, LastPhone, VerificationError
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.security import masking
from django_voicepassword.verifications import messages
from django_voicepassword.web.base import NEXT, PageView
from django_voicepassword.web.forms import PhoneForm
from django_voicepassword.web.start_views import StartPageView


class OwnPageView(PageView):
    """Base class: an anonymous person logs in first."""

    def answer(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not self.is_logged_in():
            page = request.get_full_path() if request.method == "GET" else self.own_url("phones")
            return HttpResponseRedirect(self.with_next("login", page))
        try:
            return super().answer(request, *args, **kwargs)
        except (VerifiedPhone.DoesNotExist, TrustedDevice.DoesNotExist):
            raise Http404 from None

    def own_url(self, name: str, *arguments: Any) -> str:
        namespace = self.request.resolver_match.namespace  # type: ignore[union-attr]
        return reverse(f"{namespace}:{name}", args=arguments)

    def with_next(self, name: str, page: str, **query: object) -> str:
        return f"{self.own_url(name)}?{urlencode({**query, NEXT: page})}"

    def redirect_to_phones(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.own_url("phones"))


class PhonesView(OwnPageView):
    """Shows the numbers and the devices."""

    template_name = "voicepassword/phones.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        rows = own_phones.of_user(request.user)
        proved = {row.phone for row in rows}
        unproved = [phone for phone in users.phones_of(request.user) if phone not in proved]
        known_devices = devices.of_user(request.user, request)
        context = {
            "numbers": [self.describe(row) for row in rows],
            "unproved": list(map(masking.mask, unproved)),
            "has_one_number": settings.USER_PHONE_FIELD is not None,
            "devices": [
                {**asdict(device), "forget_url": self.own_url("forget-device", device.id)}
                for device in known_devices
            ],
            "has_other_devices": any(not device.is_current for device in known_devices),
            "addresses": {
                "add": self.own_url("phone-add"),
                "forget_others": self.own_url("forget-others"),
                "confirm": self.with_next("confirm", self.own_url("phones")),
            },
        }
        return self.render(context)

    def describe(self, row: VerifiedPhone) -> dict[str, object]:
        """What the page shows of a number."""
        return {
            "phone": row.masked_phone,
            "verified_at": row.verified_at,
            "is_dormant": proofs.is_dormant(row),
            "confirm_url": self.with_next("confirm", self.own_url("phones"), own=row.pk),
            "change_url": self.own_url("phone-change", row.pk),
            "remove_url": self.own_url("phone-remove", row.pk),
        }


class AddPhoneView(StartPageView, OwnPageView):
    """Asks for a new number, and has it called. With a key, it is to replace that number."""

    template_name = "voicepassword/phone_add.html"
    purpose = confirmation.PURPOSE

    def get(self, request: HttpRequest, key: int | None = None) -> HttpResponseBase:
        return self.render_form(PhoneForm())

    def post(self, request: HttpRequest, key: int | None = None) -> HttpResponseBase:
        form = PhoneForm(request.POST)
        if not self.is_same(form):
            return self.start(form)
        form.add_error("phone", _("You have this number already. Enter another one."))
        return self.render_form(form, status=400)

    def is_same(self, form: PhoneForm) -> bool:
        """Whether the number would replace itself: the next page would ask to remove it."""
        row = self.replaced()
        if row is None or not form.is_valid():
            return False
        try:
            return phones.normalize(form.cleaned_data["phone"]) == row.phone
        except InvalidPhone:
            return False

    @property
    def next_url(self) -> str:
        """The page that follows the proof: the one that removes the replaced number."""
        row = self.replaced()
        if row is None or settings.USER_PHONE_FIELD is not None:
            return self.own_url("phones")
        return self.own_url("phone-remove", row.pk)

    def replaced(self) -> VerifiedPhone | None:
        key = self.kwargs.get("key")
        return None if key is None else own_phones.get(self.request.user, key)

    def extra_context(self) -> dict[str, object]:
        return {"replaced": self.replaced(), "phones_url": self.own_url("phones")}


class RemovePhoneView(OwnPageView):
    """Removes a number, once any own number was proved in the last ``own_phones.MAX_AGE``."""

    template_name = "voicepassword/phone_remove.html"

    def get(self, request: HttpRequest, key: int) -> HttpResponseBase:
        return self.ask_for_proof(key) or self.render_row(key)

    def post(self, request: HttpRequest, key: int) -> HttpResponseBase:
        asking = self.ask_for_proof(key)
        if asking is not None:
            return asking
        try:
            own_phones.remove(request.user, key)
        except LastPhone as error:
            return self.render_row(key, error)
        return self.redirect_to_phones()

    def ask_for_proof(self, key: int) -> HttpResponseBase | None:
        row = own_phones.get(self.request.user, key)
        is_last = own_phones.is_last(self.request.user, row)
        if is_last or confirmation.is_confirmed(self.request, own_phones.MAX_AGE):
            # Nobody is rung for a number that cannot be removed.
            return None
        page = self.own_url("phone-remove", row.pk)
        return HttpResponseRedirect(self.with_next("confirm", page))

    def render_row(self, key: int, error: VerificationError | None = None) -> HttpResponse:
        row = own_phones.get(self.request.user, key)
        if own_phones.is_last(self.request.user, row):
            error = error or LastPhone()
        others = [other for other in own_phones.of_user(self.request.user) if other != row]
        context = {
            "phone": row.masked_phone,
            "others": [other.masked_phone for other in others],
            "error_text": messages.error_text(error) if error else "",
            "phones_url": self.own_url("phones"),
        }
        return self.render(context, error=error)


class ForgetDeviceView(OwnPageView):
    """Forgets a device."""

    def get(self, request: HttpRequest, key: int) -> HttpResponseBase:
        return self.redirect_to_phones()

    def post(self, request: HttpRequest, key: int) -> HttpResponseBase:
        devices.forget(request.user, key)
        return self.redirect_to_phones()


class ForgetOthersView(OwnPageView):
    """Forgets all devices but this one."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.redirect_to_phones()

    def post(self, request: HttpRequest) -> HttpResponseBase:
        devices.forget_others(request.user, request)
        return self.redirect_to_phones()
