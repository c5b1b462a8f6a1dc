"""Keep what is reported about a call request, and move its row forward."""

from __future__ import annotations

from typing import Any

from django.db import router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.calls import matching
from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments
from django_voicepassword.provider.protocol import Report
from django_voicepassword.security import mask_payload


def record(
    call_id: int, report: Report, source: str, payload: dict[str, Any] | None = None
) -> CallStatus | None:
    """Keep a report about a call request (or about the SMS that followed it), and move the row
    forward if it tells more.

    The CallStatus is added whatever it says; the state moves only forward, by compare-and-swap, so
    reports may come doubled, late, in any order, and before the reply to the request itself. None
    where the call is not there.
    """
    if source == CallStatus.Source.CALLBACK and payload is None:
        unread = _record_unread(call_id, report)
        if unread is not None:
            return unread
    call = _find(CallRequest.objects.all(), call_id)
    if call is None:
        return None
    if source == CallStatus.Source.CALLBACK:
        call = matching.find_target_call(call, report)
    status = as_status(call, report, source, payload)
    while True:
        values = changes(call, report, status)
        old_state = call.state
        with transaction.atomic(using=router.db_for_write(CallRequest)):
            # The UPDATE comes first: a transaction that begins with a read cannot wait for a writer
            # on SQLite.
            moved = bool(values) and call.move_forward(old_state, values)
            if moved or not values:
                status.save(force_insert=True)
        if moved:
            announce_move(call, old_state, source)
        if moved or not values:
            return status
        # Another report moved it between our read and our write. States only move forward, so this
        # ends.
        call.refresh_from_db()


def _record_unread(call_id: int, report: Report) -> CallStatus | None:
    """The usual callback, which names the id and the number of its call: kept without reading the
    row first.

    None, and nothing done, where the row is not as expected, or somebody is to be told what it was
    before.
    """
    if (
        report.kind != "call"
        or not report.id
        or not report.number
        or signals.call_state_changed.has_listeners(CallRequest)
    ):
        return None
    told = CallRequest(
        pk=call_id, phone=report.number, provider_id=report.id, channel=CallRequest.Channel.VOICE
    )
    status = as_status(told, report, CallStatus.Source.CALLBACK, None)
    values = changes(told, report, status)
    if not values:
        return None
    if values["occurred_at"] is None:
        del values["occurred_at"]
    with transaction.atomic(using=router.db_for_write(CallRequest)):
        if not told.move_as_told(values):
            return None
        status.save(force_insert=True)
    return status


def _find(calls: QuerySet[CallRequest], call_id: int) -> CallRequest | None:
    try:
        # Not first(): it sorts one row, and putting that together takes as long as the query.
        return calls.get(pk=call_id)
    except CallRequest.DoesNotExist:
        return None


def announce_move(call: CallRequest, old_state: str, source: str) -> None:
    """Tell the host project that a call is in another state now."""
    values = {"call": call, "old_state": old_state, "new_state": call.state, "source": source}
    signals.announce(
        signals.call_state_changed, CallRequest, router.db_for_write(CallRequest), **values
    )


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
