"""Idempotent start: a form that one browser submits twice starts one verification."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from django_voicepassword import verifications
from django_voicepassword.models import Verification


def start_once(
    request: HttpRequest,
    number: str,
    channel: str | None,
    purpose: str,
    earlier: Verification | None,
    consent: str,
) -> Verification:
    """Start a verification. A simultaneous second submit of the same browser gets the same one.

    Neither submit has saved its session yet, so both make the same idempotency key, and the
    database decides. ``earlier`` is the browser's previous verification.
    """
    start = partial(
        verifications.start,
        number,
        purpose=purpose,
        channel=channel,
        request=request,
        user=request.user,
        consent=consent,
    )
    verification = start(idempotency_key=_key(request, number, channel, purpose, earlier))
    while verification.first_answer is not None and not verification.is_open:
        # This browser has started, and ended, a verification for the number before.
        key = _key(request, number, channel, purpose, verification)
        verification = start(idempotency_key=key)
    return verification


def _key(
    request: HttpRequest,
    number: str,
    channel: str | None,
    purpose: str,
    earlier: Verification | None,
) -> str | None:
    """Return the key that all submits of the same form by one browser share.

    None: the browser sent no cookie by which to recognise it.
    """
    browser = request.META.get("CSRF_COOKIE") or request.session.session_key
    if not browser:
        return None
    form = f"{browser}:{number}:{channel or ''}:{purpose}:{earlier.id if earlier else ''}"
    return salted_hmac("django_voicepassword.web.idempotency", form, algorithm="sha256").hexdigest()
