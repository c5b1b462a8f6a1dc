"""How far the newest call of a verification has come, as far as the person has to know it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from django_voicepassword.calls import errors
from django_voicepassword.exceptions import AccountRefused
from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import before
from django_voicepassword.provider.protocol.vocabulary import is_of_account

#: Seconds within which the provider usually has a call.
STARTS_WITHIN = 10
#: Seconds after that within which a phone usually rings, or an SMS arrives.
ARRIVES_WITHIN = 45

_SPAM = "number_in_spam_list"
_NUMBER = ("number_not_valid", "number_is_empty", "number_not_permitted")
#: Our own reasons why a call was not made: neither the number nor the channel is to blame.
_SITE = (
    errors.ACCOUNT_REFUSED,
    errors.NO_BUDGET,
    errors.NOT_QUEUED,
    errors.UNREACHABLE,
    errors.MISCONFIGURED,
    AccountRefused.code,
)


class Stage(str, Enum):
    """A stage of a call or an SMS. Each needs another sentence and another button."""

    #: Nobody has sent it yet.
    PREPARING = "preparing"
    #: The provider has it.
    UNDER_WAY = "under_way"
    #: It should have arrived by now, and no report says that it has.
    SLOW = "slow"
    #: It has arrived, or was not answered.
    DONE = "done"
    BUSY = "busy"
    #: The operator did not connect the call, or the SMS was not delivered.
    FAILED = "failed"
    #: The provider does not call this number.
    WRONG_NUMBER = "wrong_number"
    #: The provider does not call this number for now, or not by this channel.
    BLOCKED_NUMBER = "blocked_number"
    #: The site cannot call anybody now.
    UNAVAILABLE = "unavailable"
    #: The provider refused it for another reason.
    REFUSED = "refused"


_FINAL = {
    CallRequest.State.BUSY: Stage.BUSY,
    CallRequest.State.FAILED: Stage.FAILED,
    CallRequest.State.NOT_DELIVERED: Stage.FAILED,
}


def stage_of(call: CallRequest | None, now: datetime) -> Stage:
    """The stage of a call at ``now``; None is a call that has no row yet."""
    if call is None:
        return Stage.PREPARING
    if call.state == CallRequest.State.REFUSED:
        return _refused_stage(call.error_code.casefold())
    if call.state in CallRequest.FINAL_STATES:
        return _FINAL.get(CallRequest.State(call.state), Stage.DONE)
    if call.state in (CallRequest.State.QUEUED, CallRequest.State.PLACING):
        is_late = call.created_at <= before(now, STARTS_WITHIN)
        return Stage.SLOW if is_late else Stage.PREPARING
    taken_at = call.placed_at or call.created_at
    is_late = taken_at <= before(now, ARRIVES_WITHIN)
    is_lost = call.state == CallRequest.State.UNKNOWN
    return Stage.SLOW if is_late or is_lost else Stage.UNDER_WAY


def _refused_stage(error_code: str) -> Stage:
    if error_code in _NUMBER:
        return Stage.WRONG_NUMBER
    if error_code == _SPAM:
        return Stage.BLOCKED_NUMBER
    if error_code in _SITE or is_of_account(error_code):
        return Stage.UNAVAILABLE
    return Stage.REFUSED
