"""Keep what the provider reports about a call request, and move its row forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.calls import matching, spending, writing
from django_voicepassword.limits import recounts
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
    is_callback = source == CallStatus.Source.CALLBACK
    usual = _UsualCallback.of(call_id, report) if is_callback else None
    if is_callback and report.kind != "call":
        # Chosen before anything is locked: whoever locks two calls may meet a right guess, which
        # locks those of its verification in their order.
        call = CallRequest.objects.filter(pk=call_id).first()
        if call is None:
            return None
        if not call.takes_callbacks:
            raise CallbackEnded
        call_id = matching.find_target_call(call, report).pk
    recorded = writing.in_transaction(lambda: _record(call_id, report, source, usual))
    if recorded is None:
        return None
    if recorded.call is not None and recorded.call.state != recorded.old_state:
        announce_move(recorded.call, recorded.old_state, source)
    return recorded.status


def callbacks_end(call_id: int) -> bool:
    """Return whether the call exists and takes no callbacks any more."""
    call = CallRequest.objects.filter(pk=call_id).first()
    return call is not None and not call.takes_callbacks


@dataclass(frozen=True)
class _Recorded:
    """A recorded report; ``call`` is None where nobody has to know its row."""

    status: CallStatus
    call: CallRequest | None = None
    old_state: str = ""


def _record(
    call_id: int, report: Report, source: str, usual: _UsualCallback | None
) -> _Recorded | None:
    """Record a report in a transaction; None where the call does not exist."""
    if usual is not None and usual.write():
        return _Recorded(usual.status, usual.call, usual.old_state)
    call = CallRequest(pk=call_id)
    # The UPDATE of ``usual`` has begun the transaction with a write, though it matched no row.
    if not (call.read_locked() if usual is not None else call.lock()):
        return None
    is_about_this_call = source == CallStatus.Source.CALLBACK and report.kind == "call"
    if is_about_this_call and not call.takes_callbacks:
        raise CallbackEnded
    return _record_locked(call, report, source)


def _record_locked(call: CallRequest, report: Report, source: str) -> _Recorded:
    old_state, counted = call.state, call.reserved_price if call.price is None else call.price
    status = _build_status(call, report, source)
    changes = _changes(call, report, status)
    if changes:
        call.move_forward(old_state, changes)
        spending.correct(call, changes.get("price"), counted)
    kept = status.keep(is_moving=bool(changes))
    if changes and not kept.is_added:
        # The figures of a day are counted again where there is a new report.
        recounts.note(status.received_at)
    return _Recorded(kept, call, old_state)


def announce_move(call: CallRequest, old_state: str, source: str) -> None:
    """Send ``call_state_changed`` once the transaction is committed."""
    values = {"call": call, "old_state": old_state, "new_state": call.state, "source": source}
    signals.announce(signals.call_state_changed, CallRequest, writing.database(), **values)


@dataclass(frozen=True)
class _UsualCallback:
    """A callback that names its id and number: one UPDATE records it, without a SELECT before it.

    The UPDATE itself checks id, number, channel, state and how many reports are kept. If it matches
    no row, the row is read. Reading it first would cost a callback a quarter more. Only a receiver
    of ``call_state_changed`` needs the row: then ``call`` was read, and the UPDATE also checks that
    its state is still ``old_state``.
    """

    status: CallStatus
    expected: CallRequest
    changes: Changes
    call: CallRequest | None
    old_state: str

    @classmethod
    def of(cls, call_id: int, report: Report) -> _UsualCallback | None:
        """Return None for a report that does not name its call, or cannot move it."""
        if not (report.kind == "call" and report.id and report.number):
            return None
        call = None
        if signals.call_state_changed.has_listeners(CallRequest):
            call = CallRequest.objects.filter(pk=call_id).first()
            if call is None or not CallRequest.is_forward(call.state, report.state or ""):
                return None
        expected = CallRequest(
            pk=call_id,
            phone=report.number,
            provider_id=report.id,
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
        return cls(status, expected, changes, call, call.state if call else "")

    def write(self) -> bool:
        """Move the row and keep the report; False, and nothing is written, if it is not usual.

        The UPDATE comes first: on SQLite a transaction that begins with a read cannot wait for a
        writer.
        """
        unless = CallStatus.has_all_callbacks
        if not self.expected.move_if_expected(self.changes, unless, self.old_state):
            return False
        # Where a first try was rolled back, its key may be that of another row by now.
        self.status.pk = None
        self.status.insert()
        if self.call is not None:
            for name, value in self.changes.items():
                setattr(self.call, name, value)
        return True


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
