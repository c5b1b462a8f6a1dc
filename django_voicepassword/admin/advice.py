"""Advice for support: what happened to a call, and what can be done about it."""

from __future__ import annotations

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.calls import errors
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import before

_ACCOUNT_REFUSED = gettext_lazy(
    "Nothing rang: the provider refuses the account. Its owner must look at the key and the block."
)
_NUMBER_REFUSED = gettext_lazy(
    "Nothing rang: the provider does not call this number. Ask the customer for another one."
)
_REQUEST_WRONG = gettext_lazy(
    "Nothing rang: the request was wrong. A developer must look at the settings and the log."
)
_REPLY_LOST = gettext_lazy(
    "It may have rung: the answer was lost. If so, its code works; the daily statistics will show"
    " it."
)
_NOT_REPORTED = gettext_lazy(
    "It is not known how the call ended. It may have rung; the daily statistics will show it."
)

#: Stored error code -> what it means and who must act.
ERRORS: dict[str, str | Promise] = {
    "number_in_spam_list": gettext_lazy(
        "Nothing rang: the provider blocks this number for now, up to a day. "
        "Wait, or ask the customer for another number."
    ),
    "number_not_valid": _NUMBER_REFUSED,
    "number_not_permitted": _NUMBER_REFUSED,
    "number_is_empty": _NUMBER_REFUSED,
    "not_enough_money": gettext_lazy(
        "Nothing rang: the account has no money. Its owner must top it up."
    ),
    "authorisation_failed": _ACCOUNT_REFUSED,
    "user_disabled": _ACCOUNT_REFUSED,
    "unknown_request": _REQUEST_WRONG,
    "ani_phone_not_valid": _REQUEST_WRONG,
    "code_not_valid": _REQUEST_WRONG,
    "ID_Not_Found": _NOT_REPORTED,
    errors.UNREACHABLE: gettext_lazy(
        "Nothing rang: the provider could not be reached. The customer may try again."
    ),
    errors.NOT_QUEUED: gettext_lazy(
        "Nothing rang: the queue of tasks was down. The customer may try again."
    ),
    errors.MISCONFIGURED: _REQUEST_WRONG,
    errors.NO_EARLIER_CALL: gettext_lazy(
        "Nothing was sent: an SMS repeats the code of a call, and there was none."
    ),
    errors.ACCOUNT_REFUSED: gettext_lazy(
        "Nothing rang: the provider refused the account a moment before. "
        "Its owner must look at the money, the key and the block."
    ),
    errors.NO_BUDGET: gettext_lazy(
        "Nothing rang: the price rose, and the daily budget has no money left for it."
    ),
    errors.TOO_LATE: gettext_lazy(
        "Nothing rang: no worker came to it in time. Are workers running?"
    ),
    errors.REPLACED: gettext_lazy(
        "Nothing rang: the code was asked for once more before a worker came to this call. "
        "Are workers running?"
    ),
    errors.NO_CODE: gettext_lazy(
        "The call was placed, but the provider gave no code for it, so none can be entered."
    ),
    errors.NO_REPLY: _REPLY_LOST,
    "unreadable_reply": _REPLY_LOST,
    "interrupted": _REPLY_LOST,
    "worker_lost": _REPLY_LOST,
    errors.NO_FINAL_STATE: _NOT_REPORTED,
}
#: Seconds in the queue after which the advice asks whether workers are running.
_QUEUED_TOO_LONG = 20


#: Status of a verification -> why no code works for it any more.
_CLOSED: dict[str, str | Promise] = {
    Verification.Status.EXPIRED: gettext_lazy(
        "The time is over: the customer must ask for a new code."
    ),
    Verification.Status.MAX_ATTEMPTS: gettext_lazy(
        "No attempts are left: the customer must ask for a new code."
    ),
    Verification.Status.CANCELED: gettext_lazy(
        "The verification was canceled: the customer must ask for a new code."
    ),
}


def advise(call: CallRequest) -> str:
    """Return a sentence or two about the call, in the active language."""
    verification = call.verification
    if verification is None:
        return _advise_about(call)
    if verification.status == Verification.Status.APPROVED:
        return _("The customer typed the right code: it worked.")
    closed = _CLOSED.get(verification.current_status)
    return f"{_advise_about(call)} {closed}" if closed else _advise_about(call)


def _advise_about(call: CallRequest) -> str:
    if call.state in (CallRequest.State.REFUSED, CallRequest.State.UNKNOWN):
        texts = {code.casefold(): text for code, text in ERRORS.items()}
        return str(texts.get(call.error_code.casefold(), _advise_by_state(call)))
    return _advise_by_state(call)


def _advise_by_state(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state == state.QUEUED:
        if call.created_at < before(timezone.now(), _QUEUED_TOO_LONG):
            return _("It has been waiting for a worker for a long time. Are workers running?")
        return _("It waits for a worker.")
    if call.state == state.PLACING:
        return _("The provider is being asked.")
    if call.state == state.REFUSED:
        return _("Nothing rang: the provider refused. Its word is the error code.")
    if call.state == state.UNKNOWN:
        return str(_NOT_REPORTED)
    return _advise_sms(call) if call.channel == CallRequest.Channel.SMS else _advise_ringing(call)


def _advise_ringing(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state in (state.PLACED, state.DIALING):
        return _("The provider took it, and no final state is known yet. Ask the provider now.")
    if call.state == state.FAILED:
        return _(
            "The operator did not put it through: the phone is off, out of reach or blocks calls. "
            "Try another channel."
        )
    if call.channel == CallRequest.Channel.VOICE:
        if call.state == state.ANSWERED:
            return _(
                "Somebody answered, and the robot said the code. If it was a mailbox, "
                "let it call again."
            )
        return _("The robot called, and nobody answered. Let it call again, or send an SMS.")
    if call.state == state.ANSWERED:
        return _(
            "Somebody or a mailbox answered. The code is the last digits of the number that called."
        )
    return _(
        "It rang, and nobody answered: as it should be. The code is the last digits of the number "
        "that called: the customer finds it among the missed calls, or among the blocked ones."
    )


def _advise_sms(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state == state.DELIVERED:
        return _(
            "The SMS was delivered. The customer may look among messages from unknown senders."
        )
    if call.state in (state.NOT_DELIVERED, state.FAILED):
        return _(
            "The SMS was not delivered: the phone is off, out of reach or its memory is full. "
            "Try a call by voice."
        )
    return _("The SMS is on its way; no final state is known yet.")
