"""The two forms: a phone, and a code. What they hold is judged by ``verifications``, not here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from django_voicepassword import phones
from django_voicepassword.verifications.description import Description


class PhoneForm(forms.Form):
    """``phone`` as people write it; ``channel`` where another than the first of CHANNELS is wished."""

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
    """``code`` as people type it; ``description`` tells how many digits to expect."""

    code = forms.CharField(
        label=_("Code"),
        max_length=64,
        error_messages={"required": _("Enter the code.")},
        # render_value stays off: a typed code is never sent back in a page.
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

    def __init__(self, *args: Any, description: Description, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        length = description.code_length
        self.fields["code"].widget.attrs.update(
            {"pattern": f"[0-9]{{{length}}}", "maxlength": str(length), "size": str(length)}
        )
