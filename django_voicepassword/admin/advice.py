"""What support reads first: what became of a call, and what can be done about it."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.calls import errors
from django_voicepassword.models import CallRequest, Verification

_OWNER = gettext_lazy(
    "Nothing rang: the provider refuses the account. Its owner must look at the key and the block."
)
_NUMBER = gettext_lazy(
    "Nothing rang: the provider does not call this number. Ask the customer for another one."
)
_DEVELOPER = gettext_lazy(
    "Nothing rang: the request was wrong. A developer must look at the settings and the log."
)
_LOST = gettext_lazy(
    "It may have rung: the answer was lost. If so, its code works; the daily statistics will tell."
)
_SILENT = gettext_lazy(
    "Nobody tells how it ended. It may have rung; the daily statistics will tell."
)

#: Error code, as it is stored -> what it means and who must act.
ERRORS: dict[str, str | Promise] = {
    "number_in_spam_list": gettext_lazy(
        "Nothing rang: the provider blocks this number for now, up to a day. Wait, or ask the customer for another number."
    ),
    "number_not_valid": _NUMBER,
    "number_not_permitted": _NUMBER,
    "number_is_empty": _NUMBER,
    "not_enough_money": gettext_lazy(
        "Nothing rang: the account has no money. Its owner must top it up."
    ),
    "authorisation_failed": _OWNER,
    "user_disabled": _OWNER,
    "unknown_request": _DEVELOPER,
    "ani_phone_not_valid": _DEVELOPER,
    "code_not_valid": _DEVELOPER,
    "ID_Not_Found": _SILENT,
    errors.UNREACHABLE: gettext_lazy(
        "Nothing rang: the provider could not be reached. The customer may try again."
    ),
    errors.NOT_QUEUED: gettext_lazy(
        "Nothing rang: the queue of tasks was down. The customer may try again."
    ),
    errors.MISCONFIGURED: _DEVELOPER,
    errors.NO_EARLIER_CALL: gettext_lazy(
        "Nothing was sent: an SMS repeats the code of a call, and there was none."
    ),
    errors.TOO_LATE: gettext_lazy(
        "Nothing rang: no worker came to it in time. Are workers running?"
    ),
    errors.NO_CODE: gettext_lazy(
        "It was placed, but the provider told no code for it: none can be typed."
    ),
    errors.NO_REPLY: _LOST,
    "unreadable_reply": _LOST,
    "interrupted": _LOST,
    "worker_lost": _LOST,
    errors.NO_FINAL_STATE: _SILENT,
}
#: Seconds after which a call that still waits for a worker is worth a word.
_PATIENCE = 20


def advise(call: CallRequest) -> str:
    """A sentence or two, in the active language."""
    verification = call.verification
    if verification is not None and verification.status == Verification.Status.APPROVED:
        return _("The customer typed the right code: it worked.")
    if call.state in (CallRequest.State.REFUSED, CallRequest.State.UNKNOWN):
        known = {code.casefold(): words for code, words in ERRORS.items()}
        return str(known.get(call.error_code.casefold(), _by_state(call)))
    return _by_state(call)


def _by_state(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state == state.QUEUED:
        if timezone.now() - call.created_at > timedelta(seconds=_PATIENCE):
            return _("It has been waiting for a worker for long. Are workers running?")
        return _("It waits for a worker.")
    if call.state == state.PLACING:
        return _("The provider is being asked.")
    if call.state == state.REFUSED:
        return _("Nothing rang: the provider refused. Its word is the error code.")
    if call.state == state.UNKNOWN:
        return str(_SILENT)
    if call.channel == CallRequest.Channel.SMS:
        return _sms(call)
    if call.state in (state.PLACED, state.DIALING):
        return _("The provider took it, and no final state is known yet. Ask the provider now.")
    if call.state == state.FAILED:
        return _(
            "The operator did not put it through: the phone is off, out of reach or blocks calls. Try another channel."
        )
    if call.channel == CallRequest.Channel.VOICE:
        if call.state == state.ANSWERED:
            return _(
                "Somebody answered, and the robot said the code. If it was a mailbox, let it call again."
            )
        return _("The robot called, and nobody answered. Let it call again, or send an SMS.")
    if call.state == state.ANSWERED:
        return _(
            "Somebody or a mailbox answered. The code is the last digits of the number that called."
        )
    return _(
        "It rang, and nobody answered: as it should be. The code is the last digits of the number that called: the customer "
        "finds it among the missed calls, or among the blocked ones."
    )


def _sms(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state == state.DELIVERED:
        return _(
            "The SMS was delivered. The customer may look among messages from unknown senders."
        )
    if call.state in (state.NOT_DELIVERED, state.FAILED):
        return _(
            "The SMS was not delivered: the phone is off, out of reach or its memory is full. Try a call by voice."
        )
    return _("The SMS is on its way; no final state is known yet.")
