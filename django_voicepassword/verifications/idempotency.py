"""``Idempotency-Key``: a request that is repeated with the same key rings and costs once.

A key belongs to ``start``, or to ``resend`` of one verification, for as long as the verification
lives. ``Verification.idempotency_digest`` is unique, so of several equal starts at once one is
committed; a resend counts under the lock of its verification.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.crypto import salted_hmac

from django_voicepassword.exceptions import (
    IdempotencyConflict,
    InvalidIdempotencyKey,
    VerificationError,
)
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security.sensitive import sensitive

_KEY = re.compile(r"[!-~]{16,128}")


class KeyUsed(Exception):
    """Another request with this key was faster: roll back what this one has counted."""


@dataclass(frozen=True)
class Key:
    """The digests of a key and of the request that came with it.

    ``verification`` is the verification to resend, or None for a start. ``rotated`` has the same
    key as it was digested before SECRET_KEY was changed, once for each of SECRET_KEY_FALLBACKS.
    """

    digest: str
    request: str
    verification: UUID | None = field(default=None, repr=False)
    rotated: tuple[Key, ...] = field(default=(), repr=False)

    def answer(self, verification: Verification, channel: str) -> dict[str, Any]:
        """Return what the call keeps: the digests, and what the first answer says.

        Later on these values change, for example by a wrong guess; a repeat is answered like the
        first request.
        """
        resend_at = verification.resend_at
        return {
            "key": self.digest,
            "request": self.request,
            "status": verification.status,
            "channel": channel,
            "code_length": verification.code_length,
            "attempts_left": verification.attempts_left,
            "resend_at": None if resend_at is None else resend_at.isoformat(),
        }

    def is_used(self) -> bool:
        """Return whether the verification has a call that was asked for with this key."""
        return any(_call(key) is not None for key in (self, *self.rotated))


@sensitive
def read_key(
    text: str | None, *request: str | None, verification: UUID | None = None
) -> Key | None:
    """Return the digests of an Idempotency-Key and of its ``request``; None without a key.

    Raises InvalidIdempotencyKey.
    """
    if text is None:
        return None
    if not isinstance(text, str) or not _KEY.fullmatch(text):
        raise InvalidIdempotencyKey
    path = f"resend {verification}" if verification else "start"

    def digested(secret: str | bytes, rotated: tuple[Key, ...] = ()) -> Key:
        digest = _digest(path, text, secret=secret)
        return Key(digest, _digest(*request, secret=secret), verification, rotated)

    rotated = tuple(digested(secret) for secret in settings.SECRET_KEY_FALLBACKS)
    return digested(settings.SECRET_KEY, rotated)


@sensitive
def send_once(
    key: Key | None, send: Callable[[], Verification], resume: Callable[[CallRequest], None]
) -> Verification:
    """Call ``send``, unless a request with this key was accepted: then return its verification.

    ``resume`` is called with the call of a repeat, which may still wait for whoever places it.
    ``first_answer`` of the verification is set where it is a repeat. Raises IdempotencyConflict
    where the request is another one, and what ``send`` and ``resume`` raise.
    """
    if key is None:
        return send()
    earlier = _find(key)
    if earlier is None:
        try:
            return send()
        except (VerificationError, IntegrityError, KeyUsed):
            # The same request may have been accepted meanwhile, and have used up a limit.
            earlier = _find(key)
            if earlier is None:
                raise
    call, verification = earlier
    resume(call)
    return verification


def free_key(call_id: int) -> None:
    """Let a key be used again: the request that came with it is refused after all."""
    call = CallRequest.objects.get(pk=call_id)
    if call.idempotency is None or call.verification_id is None:
        return
    CallRequest.objects.filter(pk=call_id).update(idempotency=None)
    Verification.objects.filter(
        pk=call.verification_id, idempotency_digest=call.idempotency["key"]
    ).update(idempotency_digest=None)


def _find(key: Key) -> tuple[CallRequest, Verification] | None:
    """Return what an earlier request with this key has made. Raises IdempotencyConflict."""
    for digested in (key, *key.rotated):
        call = _call(digested)
        if call is None or call.verification is None or call.idempotency is None:
            continue
        if not hmac.compare_digest(call.idempotency["request"], digested.request):
            raise IdempotencyConflict
        verification = call.verification
        verification.first_answer = call.idempotency
        return call, verification
    return None


def _call(key: Key) -> CallRequest | None:
    if key.verification is None:
        return _call_of_start(key)
    return _call_of_resend(key, key.verification)


def _call_of_start(key: Key) -> CallRequest | None:
    verifications = Verification.objects.filter(idempotency_digest=key.digest)
    verification = verifications.first()
    if verification is None:
        return None
    if verification.is_expired:
        # The key has lived as long as its verification.
        verifications.filter(expires_at__lte=timezone.now()).update(idempotency_digest=None)
        return None
    return _call_with(key, verification.pk)


def _call_of_resend(key: Key, verification: UUID) -> CallRequest | None:
    call = _call_with(key, verification)
    if call is None or call.verification is None or call.verification.is_expired:
        return None
    return call


def _call_with(key: Key, verification: UUID) -> CallRequest | None:
    """Return the first call of the verification that was asked for with this key."""
    calls = CallRequest.objects.filter(verification=verification)
    for call in calls.select_related("verification").order_by("id"):
        if call.idempotency is not None and call.idempotency["key"] == key.digest:
            return call
    return None


def _digest(*texts: str | None, secret: str | bytes) -> str:
    salt = "django_voicepassword.idempotency"
    return salted_hmac(salt, json.dumps(texts), secret=secret, algorithm="sha256").hexdigest()
