"""What a report of the provider means for our rows: which one it speaks of, and what it changes
there.
"""

from __future__ import annotations

from django_voicepassword.models import CallRequest
from django_voicepassword.provider.protocol import Report


def find_target_call(call: CallRequest, report: Report) -> CallRequest:
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
