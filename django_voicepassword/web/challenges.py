"""The challenge in the pages: what a form answers, and when its widget is shown."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _

from django_voicepassword.exceptions import ChallengeRequired, VerificationError
from django_voicepassword.verifications import challenge, messages

#: The field of a form that answers a challenge of the project's own.
OWN_FIELD = "challenge"


def read_answer(request: HttpRequest) -> None:
    """Put the answer that a form carries, if any, where CHALLENGE finds it."""
    challenge.attach(request, request.POST.get(_field(challenge.widget())))


def shown(request: HttpRequest, error: VerificationError | None) -> challenge.Widget | None:
    """Return the widget that the answer to ``request`` shows; None where there is none to solve.

    A form that has it keeps it when it is shown again for another reason.
    """
    if request.method != "POST":
        return None
    widget = challenge.widget()
    is_needed = isinstance(error, ChallengeRequired) or _field(widget) in request.POST
    return widget if is_needed else None


def error_text(request: HttpRequest, error: VerificationError | None) -> str:
    """Return what the person has to do before anything is sent; "" where it is no challenge.

    A challenge that failed has another text than one that was not answered.
    """
    if not isinstance(error, ChallengeRequired):
        return ""
    if request.POST.get(_field(challenge.widget())):
        return _("The check has failed. Please do it again.")
    return messages.error_text(error)


def _field(widget: challenge.Widget | None) -> str:
    return widget.provider.field if widget and widget.provider else OWN_FIELD
