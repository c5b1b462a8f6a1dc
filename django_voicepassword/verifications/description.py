"""Describe a verification for pages and programs alike."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.checking import carrying_code
from django_voicepassword.verifications.hints import hint
from django_voicepassword.verifications.stages import Stage, stage_of


@dataclass(frozen=True)
class Description:
    """What the person who started a verification may see of it: no code, and the phone masked.

    ``stage`` and ``takes_code`` are for the pages; the API has the other fields.
    """

    #: A bearer secret: whoever knows it may guess.
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
    #: A ``stages.Stage``: how far the newest call has come.
    stage: str
    #: Whether there is, or will be, a code to type: False where every call was refused.
    takes_code: bool


def describe(verification: Verification, calls: list[CallRequest] | None = None) -> Description:
    """Describe a verification for the person who started it, in the active language.

    ``calls``: its calls, oldest first, if the caller has them; otherwise they are read.
    """
    if verification.first_answer is not None:
        return _describe_again(verification, verification.first_answer)
    if calls is None:
        calls = list(verification.calls.order_by("id"))
    newest = calls[-1] if calls else None
    status = verification.current_status
    is_pending = status == Verification.Status.PENDING
    stage = stage_of(newest, timezone.now())
    resend_at = verification.resend_at if is_pending else None
    # A number that the provider does not call is called by no channel.
    is_callable = is_pending and stage != Stage.WRONG_NUMBER
    next_channels = channels.following(calls, verification.is_long) if is_callable else []
    choice = next_channels if resend_at is not None else []
    # An earlier call may have brought the code although the newest one was refused.
    sent = [call for call in calls if call.state != CallRequest.State.REFUSED]
    takes_code = newest in (None, *sent) or bool(carrying_code(verification, sent))
    return Description(
        id=str(verification.id),
        phone=verification.masked_phone,
        purpose=verification.purpose,
        status=status,
        channel=newest.channel if newest else settings.CHANNELS[0],
        delivery=newest.state if newest else CallRequest.State.QUEUED,
        code_length=verification.code_length,
        hint=hint(verification, newest, status, stage, choice),
        attempts_left=verification.attempts_left if is_pending else 0,
        expires_at=verification.expires_at,
        resend_at=resend_at,
        next_channels=next_channels,
        stage=stage.value,
        takes_code=takes_code,
    )


def _describe_again(verification: Verification, first: dict[str, Any]) -> Description:
    """Describe a verification as the first answer did, to a request that is repeated."""
    now = copy(verification)
    now.first_answer = None
    resend_at = first["resend_at"]
    return replace(
        describe(now),
        status=first["status"],
        channel=first["channel"],
        code_length=first["code_length"],
        attempts_left=first["attempts_left"],
        resend_at=None if resend_at is None else datetime.fromisoformat(resend_at),
    )
