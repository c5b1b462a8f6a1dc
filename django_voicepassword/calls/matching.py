"""Which of our calls a callback is about: the call whose address it used, or the SMS after it."""

from __future__ import annotations

from datetime import timedelta

from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import as_aware
from django_voicepassword.provider.dates import Moments
from django_voicepassword.provider.protocol import Report

#: The provider's date of an SMS differs from ours by less than this.
_TOLERANCE = timedelta(minutes=5)


def find_target_call(call: CallRequest, report: Report) -> CallRequest:
    """The row that a callback to the address of ``call`` is about.

    The provider reports an SMS to the callback address of the call that it followed. The words
    decide which of the two is meant. FAIL can mean either: then the ids decide, and if they cannot,
    the request that is not final yet.
    """
    if report.kind == "call" or call.channel == CallRequest.Channel.SMS:
        return call
    sms = _find_sms(call, report)
    if sms is None:
        return call
    if report.kind == "sms" or _is_about_sms(call, sms, report):
        return sms
    return call


def _find_sms(call: CallRequest, report: Report) -> CallRequest | None:
    """The SMS of the same verification that a report may be about: one with the id of the report,
    else the newest that is open, else the newest.
    """
    if call.verification_id is None:
        return None
    newest_first = CallRequest.objects.filter(
        verification_id=call.verification_id, channel=CallRequest.Channel.SMS
    ).order_by("-id")
    sent = [sms for sms in newest_first if sms.may_have_rung]
    with_id = [sms for sms in sent if report.id and sms.provider_id == report.id]
    if with_id:
        return _choose(with_id, report)
    still_open = [sms for sms in sent if not sms.is_final]
    return next(iter([*still_open, *sent]), None)


def _choose(newest_first: list[CallRequest], report: Report) -> CallRequest:
    """The SMS that a report is about, of several with its id: the nearest in time to its date.

    Without a usable date, the oldest that has no final state yet, else the newest.
    """
    date = Moments().aware(report.moment)
    near = [
        (delay, sms)
        for sms in newest_first
        if date and (delay := abs(date - as_aware(sms.claimed_at or sms.created_at))) < _TOLERANCE
    ]
    if near:
        return min(near, key=lambda candidate: candidate[0])[1]
    still_open = [sms for sms in newest_first if not sms.is_final]
    return [*newest_first[:1], *still_open][-1]


def _is_about_sms(call: CallRequest, sms: CallRequest, report: Report) -> bool:
    """Is a report that does not say "call" or "SMS" about the SMS?"""
    if report.id and sms.provider_id == report.id != call.provider_id:
        return True
    if not call.is_final or sms.is_final or report.id not in (None, call.provider_id):
        return False
    if sms.provider_id == call.provider_id:
        return True
    # The SMS has its own id, or the call has already failed: a report about the call. Otherwise it
    # is about the SMS.
    return not sms.provider_id and call.state != CallRequest.State.FAILED
