"""TEST_NUMBERS: numbers with a fixed code that are never called."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from django_voicepassword.limits import reservations
from django_voicepassword.limits.terms import Terms
from django_voicepassword.models import CallRequest, CallStatus, Verification
from django_voicepassword.security import codes


def create_test_call(
    verification: Verification,
    channel: str,
    code: str,
    terms: Terms,
    insert: bool,
    idempotency: dict[str, Any] | None = None,
) -> CallRequest:
    """Insert the rows of an answered call to one of TEST_NUMBERS; nothing is sent.

    The send counts for the client's address alone. ``insert``: the verification is new and is
    inserted as well. Call it in ``in_transaction``. Raises RateLimited.
    """
    now = timezone.now()
    counted = reservations.reserve_test_send(verification.phone, terms, now)
    earlier = [] if insert else [call.code_digest for call in verification.calls.all()]
    if insert:
        verification.save(force_insert=True)
    call = CallRequest.objects.create(
        verification=verification,
        phone=verification.phone,
        channel=channel,
        state=CallRequest.State.DELIVERED if channel == "sms" else CallRequest.State.ANSWERED,
        provider_id="test",
        service=CallRequest.TEST_SERVICE,
        counted_address=terms.address,
        lane=terms.lane,
        counted=counted,
        created_at=now,
        claimed_at=now,
        placed_at=now,
        finished_at=now,
        idempotency=idempotency,
        code_digest=codes.digest_again(verification.id, verification.phone, code, earlier),
    )
    CallStatus.objects.create(
        call=call, state=call.state, raw_state="test", source=CallStatus.Source.SEND
    )
    return call
