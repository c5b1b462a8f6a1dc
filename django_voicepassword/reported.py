"""What a report of the provider means for our rows: which one it speaks of, and what it changes
there.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments
from django_voicepassword.provider.protocol import Report
from django_voicepassword.security import mask_payload


def meant(call: CallRequest, report: Report) -> CallRequest:
    """Which row a callback speaks of: the call it was asked for, or the SMS that followed that
    call.
    """
    if (
        report.kind == "call"
        or call.verification_id is None
        or call.channel == CallRequest.Channel.SMS
    ):
        return call
    texts = CallRequest.objects.filter(
        verification_id=call.verification_id, channel=CallRequest.Channel.SMS
    )
    sent = [sms for sms in texts.order_by("-id") if sms.may_have_rung]
    own = next((sms for sms in sent if report.id and sms.provider_id == report.id), None)
    newest = own or next((sms for sms in sent if not sms.is_final), sent[0] if sent else None)
    if newest is None:
        return call
    if report.kind == "sms":
        return newest
    # FAIL is in both vocabularies: the id tells, and where both share it, the one that is still
    # open.
    if own is not None and own.provider_id != call.provider_id:
        return own
    if not call.is_final or newest.is_final or report.id not in (None, call.provider_id):
        return call
    if newest.provider_id == call.provider_id:
        return newest
    # The text has an id of its own, or none yet: a call that failed already is told of once more.
    return call if newest.provider_id or call.state == CallRequest.State.FAILED else newest


def changes(call: CallRequest, report: Report, status: CallStatus) -> dict[str, Any]:
    """What the report changes in the row: nothing where it is late, repeated, unknown or about
    something else.
    """
    if status.state == CallStatus.OTHER or not CallRequest.is_forward(call.state, status.state):
        return {}
    if report.id and call.provider_id and report.id != call.provider_id:
        return {}
    is_text = call.channel == CallRequest.Channel.SMS
    if report.kind is not None and (report.kind == "sms") != is_text:
        return {}
    values: dict[str, Any] = {
        "state": status.state,
        "occurred_at": status.occurred_at or call.occurred_at,
    }
    if report.id and not call.provider_id:
        values["provider_id"] = report.id
    if report.service:
        values["service"] = report.service
    if status.price is not None:
        values["price"] = status.price
    if status.duration is not None:
        values["duration"] = status.duration
    if status.state in CallRequest.FINAL_STATES:
        values |= {"finished_at": status.received_at, "next_poll_at": None}
    return values


def as_status(
    call: CallRequest, report: Report, source: str, payload: dict[str, Any] | None
) -> CallStatus:
    """The row that keeps a report, not saved yet. ``payload``: what to keep of it instead of its
    own text.
    """
    return CallStatus(
        call=call,
        state=report.state or CallStatus.OTHER,
        raw_state=report.raw_state or "",
        source=source,
        occurred_at=Moments().field(report.date),
        received_at=timezone.now(),
        duration=report.duration,
        price=report.price,
        # A report may name its number where an id belongs.
        payload=mask_payload(report.raw, call.phone) if payload is None else payload,
    )
