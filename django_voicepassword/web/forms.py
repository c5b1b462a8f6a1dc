"""The forms for the phone number and the code. ``verifications`` validates what they contain."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from django_voicepassword import phones
from django_voicepassword.verifications.description import Description


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


class CodeForm(forms.Form):
    """``code`` as typed; ``description`` says how many digits the field expects."""

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

    def __init__(self, data: QueryDict | None = None, *, description: Description) -> None:
        super().__init__(data)
        length = description.code_length
        self.fields["code"].widget.attrs.update(
            {"pattern": f"[0-9]{{{length}}}", "maxlength": str(length), "size": str(length)}
        )
