"""A verification as everybody may see it: one description for every surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.channels import code_length
from django_voicepassword.verifications.checking import attempts_left
from django_voicepassword.verifications.messages import hint


@dataclass(frozen=True)
class Description:
    """A verification as everybody may see it: the phone masked, no code, times aware. DESIGN: "The
    verification as JSON".
    """

    #: A bearer secret: who knows it may guess.
    id: str = field(repr=False)
    phone: str
    purpose: str
    status: str
    channel: str
    delivery: str
    code_length: int
    hint: str
    attempts_left: int
    expires_at: datetime
    resend_at: datetime | None
    next_channels: list[str]


def describe(verification: Verification, calls: list[CallRequest] | None = None) -> Description:
    """Describe a verification for the person who started it, in the active language.

    ``calls``: its calls, oldest first, where they are known; else one query.
    """
    if calls is None:
        calls = list(verification.calls.order_by("id"))
    newest = calls[-1] if calls else None
    status = status_of(verification)
    is_pending = status == Verification.Status.PENDING
    return Description(
        id=str(verification.id),
        phone=verification.masked_phone,
        purpose=verification.purpose,
        status=status,
        channel=newest.channel if newest else settings.CHANNELS[0],
        delivery=newest.state if newest else CallRequest.State.QUEUED,
        code_length=code_length(newest.channel if newest else settings.CHANNELS[0]),
        hint=hint(verification, newest, status),
        attempts_left=attempts_left(verification) if is_pending else 0,
        expires_at=verification.expires_at,
        resend_at=_resend_at(verification) if is_pending else None,
        next_channels=channels.following(calls) if is_pending else [],
    )


def status_of(verification: Verification) -> str:
    """EXPIRED is written by a task now and then; told, it is as soon as the time is over."""
    if (
        verification.status == Verification.Status.PENDING
        and verification.expires_at <= timezone.now()
    ):
        return Verification.Status.EXPIRED
    return verification.status


def _resend_at(verification: Verification) -> datetime | None:
    """When the next send is allowed; None where MAX_SENDS are used up."""
    if verification.sends >= settings.MAX_SENDS:
        return None
    if verification.last_sent_at is None:
        return verification.created_at
    return verification.last_sent_at + timedelta(seconds=settings.RESEND_AFTER)
