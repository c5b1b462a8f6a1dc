"""Keep what the provider reports about a call request, and move its row forward."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.calls import matching, spending, writing
from django_voicepassword.models import CallRequest, CallStatus
from django_voicepassword.provider.dates import Moments
from django_voicepassword.provider.protocol import Report
from django_voicepassword.security import mask_payload

#: Columns and their new values.
Changes = dict[str, Any]


class CallbackEnded(LookupError):
    """The address of the callback is no longer valid: the call has long been final."""


def record(call_id: int, report: Report, source: str) -> CallStatus | None:
    """Add a report to the history of a call request, and move the row if the report is newer.

    A callback may be about the SMS that followed the call. The state moves only forward, so reports
    may arrive twice, late, in any order, and before the reply to the request itself. An identical
    report is counted, and ``CallStatus.MOST_KEPT`` of a source are kept. Return the report, or None
    where the call does not exist. Raises CallbackEnded.
    """
    if source == CallStatus.Source.CALLBACK:
        status = _record_usual_callback(call_id, report)
        if status is not None:
            return status
    try:
        call = CallRequest.objects.get(pk=call_id)
    except CallRequest.DoesNotExist:
        return None
    if source == CallStatus.Source.CALLBACK:
        if not call.takes_callbacks:
            raise CallbackEnded
        call = matching.find_target_call(call, report)
    old_state, status = writing.in_transaction(lambda: _record_locked(call, report, source))
    if status is not None and call.state != old_state:
        announce_move(call, old_state, source)
    return status


def callbacks_end(call_id: int) -> bool:
    """Return whether the call exists and takes no callbacks any more."""
    call = CallRequest.objects.filter(pk=call_id).first()
    return call is not None and not call.takes_callbacks


def _record_locked(call: CallRequest, report: Report, source: str) -> tuple[str, CallStatus | None]:
    """Return the state before the report, and the report; None where the call was deleted."""
    if not call.lock():
        return call.state, None
    old_state, counted = call.state, call.reserved_price if call.price is None else call.price
    status = _build_status(call, report, source)
    changes = _changes(call, report, status)
    if changes:
        call.move_forward(old_state, changes)
        spending.correct(call, changes.get("price"), counted)
    return old_state, status.keep(is_moving=bool(changes))


def announce_move(call: CallRequest, old_state: str, source: str) -> None:
    """Send ``call_state_changed`` once the transaction is committed."""
    values = {"call": call, "old_state": old_state, "new_state": call.state, "source": source}
    signals.announce(signals.call_state_changed, CallRequest, writing.database(), **values)


def _record_usual_callback(call_id: int, report: Report) -> CallStatus | None:
    """Record a callback that names its id and number by one UPDATE, without a SELECT before it.

    The UPDATE itself checks id, number, channel, state and how many reports are kept. If it matches
    no row, nothing is written and None is returned: the caller then reads the row. Reading it first
    would cost a callback a quarter more. A receiver of ``call_state_changed`` needs the old state,
    which an UPDATE does not return, so with a receiver the row is always read.
    """
    names_its_call = report.kind == "call" and report.id and report.number
    if not names_its_call or signals.call_state_changed.has_listeners(CallRequest):
        return None
    expected = CallRequest(
        pk=call_id,
        phone=report.number or "",
        provider_id=report.id or "",
        channel=CallRequest.Channel.VOICE,
    )
    status = _build_status(expected, report, CallStatus.Source.CALLBACK)
    changes = _changes(expected, report, status)
    if not changes:
        return None
    if changes["occurred_at"] is None:
        del changes["occurred_at"]
    if spending.is_limited():
        # Another price than the reply had must be counted, which needs the row.
        expected.price = status.price
    is_full = CallStatus.is_full(call_id, CallStatus.Source.CALLBACK)

    def move_and_save() -> CallStatus | None:
        # The UPDATE comes first: on SQLite a transaction that begins with a read cannot wait for a
        # writer.
        if not expected.move_if_expected(changes, unless=is_full):
            return None
        status.save(force_insert=True)
        return status

    return writing.in_transaction(move_and_save)


def _changes(call: CallRequest, report: Report, status: CallStatus) -> Changes:
    """What a report changes in the row: nothing where it is late, repeated, unknown or about
    another request.
    """
    if not CallRequest.is_forward(call.state, status.state):
        return {}
    if report.id and call.provider_id and report.id != call.provider_id:
        return {}
    is_sms = call.channel == CallRequest.Channel.SMS
    if report.kind is not None and (report.kind == "sms") != is_sms:
        return {}
    changes: Changes = {
        "state": status.state,
        "occurred_at": status.occurred_at or call.occurred_at,
    }
    if report.id and not call.provider_id:
        changes["provider_id"] = report.id
    if report.service:
        changes["service"] = report.service
    if status.price is not None:
        changes["price"] = status.price
    if status.duration is not None:
        changes["duration"] = status.duration
    if status.state in CallRequest.FINAL_STATES:
        changes |= {"finished_at": status.received_at, "next_poll_at": None}
        if call.is_given_up:
            changes["error_code"] = ""
    return changes


def _build_status(call: CallRequest, report: Report, source: str) -> CallStatus:
    """The row that keeps a report, not saved yet."""
    return CallStatus(
        call=call,
        state=report.state or CallStatus.OTHER,
        raw_state=report.raw_state or "",
        source=source,
        occurred_at=Moments().field(report.moment),
        received_at=timezone.now(),
        duration=report.duration,
        price=report.price,
        # The number is masked again: a report may repeat it in any field. Of a number that
        # retention has masked, a report would tell the last digits.
        payload={} if call.is_masked else mask_payload(report.raw, call.phone),
    )
