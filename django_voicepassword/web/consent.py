"""The consent text beside the button that asks for a call: empty, unless the project has one."""

from __future__ import annotations

from django.http import HttpRequest
from django.template.loader import render_to_string

from django_voicepassword.models import ConsentText

#: The field of a form that names the text that the form shows.
FIELD = "consent"


def text() -> str:
    """Return what the template of the project says in the active language, as HTML; "" for nothing.

    Without the request, so that everybody is shown the same.
    """
    return render_to_string("voicepassword/consent.html").strip()


def shown(request: HttpRequest) -> str:
    """Return the text that the form of ``request`` showed; "" where it showed none."""
    return text() if request.POST.get(FIELD) else ""


def has_changed(request: HttpRequest) -> bool:
    """Whether the form of ``request`` showed another text than there is now."""
    digest = request.POST.get(FIELD)
    return bool(digest) and digest != ConsentText.digest_of(text())
