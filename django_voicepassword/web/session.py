"""The verification of one browser. The session remembers its id.

A form that is sent several times starts one verification.
"""

from __future__ import annotations

import logging

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import phones, verifications
from django_voicepassword.exceptions import Unavailable
from django_voicepassword.models import Verification
from django_voicepassword.models.moments import before
from django_voicepassword.web.idempotency import start_once

logger = logging.getLogger(__name__)

#: Key of the verification's id, the only thing about a verification that the session stores.
SESSION_KEY = "voicepassword_verification"
#: Seconds after the end of a verification during which the page still knows its number.
NUMBER_KEPT_FOR = 600


def current(request: HttpRequest) -> Verification | None:
    """Return the verification of this browser, open or not; None if there is none."""
    try:
        return verifications.get(request.session.get(SESSION_KEY, ""))
    except Verification.DoesNotExist:
        return None


def unproved(request: HttpRequest, purpose: str) -> Verification | None:
    """Return the last verification of this browser for ``purpose``, if its number was not proved.

    None also where it ended some time ago: somebody else may use the browser by now.
    """
    last = current(request)
    if last is None or last.purpose != purpose or last.is_masked:
        return None
    if last.status == Verification.Status.APPROVED:
        return None
    return last if last.expires_at > before(timezone.now(), NUMBER_KEPT_FOR) else None


def begin(
    request: HttpRequest,
    phone: str,
    channel: str | None = None,
    purpose: str = "login",
    consent: str = "",
) -> Verification:
    """Return the open verification of this browser for ``phone``, or start one; remember its id.

    After a reload, the back button or a double submit, this returns the existing verification and
    makes no call. Another phone number cancels the existing one. Raises what
    ``verifications.start`` raises.
    """
    number = phones.normalize(phone)
    earlier = current(request)
    is_same = earlier is not None and (earlier.phone, earlier.purpose) == (number, purpose)
    if earlier is not None and is_same and earlier.is_open:
        return earlier
    _check_cache(request)
    verification = start_once(request, number, channel, purpose, earlier, consent)
    if earlier is not None and not is_same:
        # Its call may still be queued, and nobody waits for it now.
        verifications.cancel(earlier.id)
    request.session[SESSION_KEY] = str(verification.id)
    return verification


def _check_cache(request: HttpRequest) -> None:
    """Raise Unavailable where a new session is kept in a cache that does not answer.

    Django writes the session after the view, when the phone has already rung: the person would get
    an error, and pay for another call with each try.
    """
    session = request.session
    if session.session_key is None and hasattr(session, "cache_key_prefix"):
        try:
            session.exists("voicepassword")
        except Exception as error:
            logger.error("no call is made: the session's cache fails: %s", type(error).__name__)
            raise Unavailable("the session cannot be written") from error


def forget(request: HttpRequest) -> None:
    """Remove the verification's id from the session: the login or confirmation has ended."""
    request.session.pop(SESSION_KEY, None)


def keep_cookie(request: HttpRequest) -> None:
    """Leave the session cookie to the browser, even if this request's session no longer exists.

    A login gives the browser another session while an older request may still be on its way.
    SessionMiddleware would answer that request by deleting the cookie, and so log the user out.
    """
    request.COOKIES.pop(django_settings.SESSION_COOKIE_NAME, None)
