"""Idempotent start: a form that one browser submits twice starts one verification."""

from __future__ import annotations

import time
from functools import partial

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from django_voicepassword import verifications
from django_voicepassword.exceptions import Unavailable, VerificationError
from django_voicepassword.models import Verification

#: Seconds for which a second submit of the same form finds the first one. The second may have been
#: sent before the first was answered, so without its session cookie.
CACHE_SECONDS = 60
#: Seconds for which a second submit waits for the first one, and between two reads of the cache.
LONGEST_WAIT, PAUSE = 10.0, 0.05


def start_once(
    request: HttpRequest,
    number: str,
    channel: str | None,
    purpose: str,
    earlier: Verification | None,
) -> Verification:
    """Start a verification. A simultaneous second submit of the same browser gets the same one.

    Neither submit has saved its session yet, so they share a key in Django's cache instead. The
    cache stores the verification's id under a keyed digest for a minute. A cache that stores
    nothing, like the dummy backend, only disables this protection.
    """
    start = partial(
        verifications.start,
        number,
        purpose=purpose,
        channel=channel,
        request=request,
        user=request.user,
    )
    key = _cache_key(request, number, earlier)
    if key is None:
        return start()
    deadline = time.monotonic() + LONGEST_WAIT
    while not cache.add(key, "", CACHE_SECONDS):
        verification = _read(cache.get(key))
        if verification is not None:
            return verification
        if time.monotonic() > deadline:
            raise Unavailable("the same form is still at work")
        time.sleep(PAUSE)
    try:
        verification = start()
    except VerificationError:
        # No call was made: the next submit may start one.
        cache.delete(key)
        raise
    cache.set(key, str(verification.id), CACHE_SECONDS)
    return verification


def _read(verification_id: str | None) -> Verification | None:
    try:
        return verifications.get(verification_id or "")
    except Verification.DoesNotExist:
        return None


def _cache_key(request: HttpRequest, number: str, earlier: Verification | None) -> str | None:
    """Return the cache key that all submits of one browser for one number share.

    The key changes with ``earlier``, the browser's previous verification. None: the browser sent no
    cookie by which to recognise it.
    """
    browser = request.META.get("CSRF_COOKIE") or request.session.session_key
    if not browser:
        return None
    submits = f"{browser}:{number}:{earlier.id if earlier else ''}"
    digest = salted_hmac(
        "django_voicepassword.web.idempotency", submits, algorithm="sha256"
    ).hexdigest()
    return f"voicepassword:start:{digest}"
