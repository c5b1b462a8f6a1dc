"""The verification of one browser: started once however often its form is sent, remembered by its
id.
"""

from __future__ import annotations

from django.http import HttpRequest

from django_voicepassword import phones, verifications
from django_voicepassword.models import Verification
from django_voicepassword.web.idempotency import start_once

#: The only thing that a session holds of a verification: its id.
SESSION_KEY = "voicepassword_verification"


def current(request: HttpRequest) -> Verification | None:
    """The verification that this browser is at, open or not; None where there is none (any more)."""
    try:
        return verifications.get(request.session.get(SESSION_KEY, ""))
    except Verification.DoesNotExist:
        return None


def begin(
    request: HttpRequest, phone: str, channel: str | None = None, purpose: str = "login"
) -> Verification:
    """The open verification of this browser for ``phone``, or a new one; remembered either way.

    Reload, back button and double submit get the one that is there and ring nobody. Another phone
    closes it. Raises what ``verifications.start`` raises.
    """
    number = phones.normalize(phone)
    earlier = current(request)
    is_same = earlier is not None and (earlier.phone, earlier.purpose) == (number, purpose)
    if earlier is not None and is_same and earlier.is_open:
        return earlier
    verification = start_once(request, number, channel, purpose, earlier)
    if earlier is not None and not is_same:
        # Its call may still wait in the queue: nobody is at the other end any more.
        verifications.cancel(earlier.id)
    request.session[SESSION_KEY] = str(verification.id)
    return verification


def forget(request: HttpRequest) -> None:
    """The way is over: the session holds nothing of it."""
    request.session.pop(SESSION_KEY, None)
