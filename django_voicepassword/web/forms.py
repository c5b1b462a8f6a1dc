"""The forms for the phone number and the code. ``verifications`` validates what they contain."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from django_voicepassword import phones

#: The longest text that the field for the code takes, with what groups the digits.
MOST_TYPED = 32


class PhoneForm(forms.Form):
    """``phone`` in any spelling; ``channel`` where another than the first of CHANNELS starts."""

    phone = forms.CharField(
        label=_("Phone number"),
        strip=True,
        error_messages={"required": _("Enter your phone number.")},
        widget=forms.TextInput(
            attrs={
                "type": "tel",
                "inputmode": "tel",
                "autocomplete": "tel",
                "maxlength": phones.MAX_INPUT_LENGTH,
                "placeholder": "+7 999 123-45-67",
                "autofocus": True,
            }
        ),
    )
    channel = forms.CharField(required=False, max_length=16, widget=forms.HiddenInput)

    def lose_focus(self) -> None:
        """Leave the focus to another element of the page: the number is right as it is."""
        self.fields["phone"].widget.attrs.pop("autofocus", None)


class CodeForm(forms.Form):
    """``code`` as typed; the field expects ``code_length`` digits, which may be grouped."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        error_messages={"required": _("Enter the code.")},
        # A PasswordInput because it does not render its value: no page repeats a typed code.
        widget=forms.PasswordInput(
            attrs={
                "type": "text",
                "inputmode": "numeric",
                "autocomplete": "one-time-code",
                "spellcheck": "false",
                "autofocus": True,
            }
        ),
    )

    #: For a device that is not the person's own, such as the till of a shop.
    do_not_remember = forms.BooleanField(label=_("Do not remember this device"), required=False)

    def __init__(self, data: QueryDict | None = None, *, code_length: int) -> None:
        super().__init__(data)
        self.fields["code"].widget.attrs.update(
            {
                # No pattern: the browser would say that it is not met, but not what is wrong.
                "maxlength": MOST_TYPED,
                "size": code_length,
                "data-vp-digits": code_length,
            }
        )
