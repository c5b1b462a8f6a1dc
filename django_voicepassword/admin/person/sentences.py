"""What the clerk says to the customer: one or two sentences that may be read out or sent."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword.admin.columns import short_moment
from django_voicepassword.calls import errors
from django_voicepassword.exceptions import (
    BudgetExhausted,
    ChallengeRequired,
    ChannelUnavailable,
    PrefixNotAllowed,
    Refused,
    TooManyAttempts,
    VerificationClosed,
    VerificationExpired,
)
from django_voicepassword.history.attempts import Attempt
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import as_aware, before

_NUMBER_LIMIT = gettext_lazy(
    "So many calls were asked for to your number that the site has stopped calling it for now. "
    "I can lift this; then please ask for the code once more."
)
_GUESSES = gettext_lazy(
    "Too many wrong codes were entered for your number, so the site accepts none for now. "
    "I can lift this; then please ask for a new code."
)
_CROWD = gettext_lazy(
    "The site makes fewer calls right now; nothing is wrong with your number. Please try again a "
    "little later, or on the device on which you logged in before."
)
_NEW_CODE = gettext_lazy("That code is no longer valid. Please ask for a new one.")
_NOT_YOUR_FAULT = gettext_lazy(
    "The site cannot call anybody right now; nothing is wrong with your number. Please try again "
    "later."
)
#: Reason of a refused attempt -> what to say.
_REFUSED: dict[str, Promise] = {
    "phone": _NUMBER_LIMIT,
    "device": _NUMBER_LIMIT,
    "phone_guesses": _GUESSES,
    "long_guesses": _GUESSES,
    "device_guesses": _GUESSES,
    "ip": gettext_lazy(
        "Too many calls were asked for from your network, which others use too. Please use mobile "
        "data instead of Wi-Fi and ask for the code again."
    ),
    "prefix": _CROWD,
    "site": _CROWD,
    "guard": _CROWD,
    "sends": _NEW_CODE,
    "resend_after": gettext_lazy(
        "The code is still on its way. If it does not come within a minute, ask for it again."
    ),
    BudgetExhausted.code: _NOT_YOUR_FAULT,
    ChallengeRequired.code: gettext_lazy(
        "Please confirm on the page that you are not a robot, and then ask for the code again."
    ),
    ChannelUnavailable.code: gettext_lazy(
        "That way to get the code is not available. Please choose another one on the page."
    ),
    PrefixNotAllowed.code: gettext_lazy(
        "The site does not call numbers like this one. Please enter another mobile number."
    ),
    Refused.code: gettext_lazy(
        "The site does not accept this number by a rule of its own. I will ask why and tell you."
    ),
    TooManyAttempts.code: _NEW_CODE,
    VerificationClosed.code: _NEW_CODE,
    VerificationExpired.code: _NEW_CODE,
}
_NOTHING_KNOWN = gettext_lazy(
    "Nobody has asked for a code for your number. Please check the number that you enter, and ask "
    "for the code again."
)
#: Status of a verification -> why its code is of no use any more.
_OVER: dict[str, Promise] = {
    Verification.Status.EXPIRED: gettext_lazy(
        "The time to enter that code is over. Please ask for a new one."
    ),
    Verification.Status.MAX_ATTEMPTS: gettext_lazy(
        "Wrong codes were entered too often, so that code is no longer valid. "
        "Please ask for a new one."
    ),
    Verification.Status.CANCELED: _NEW_CODE,
}
_OTHER_NUMBER = gettext_lazy(
    "Your number cannot be called. Please check whether you entered it correctly, or use another "
    "one."
)
_OUR_FAULT = gettext_lazy(
    "The call to you was not made, because something failed on our side. Please ask for the code "
    "again."
)
#: Error code of a call that was refused -> what to say. Any other one is the site's own fault.
_NOT_MADE: dict[str, Promise] = {
    "number_in_spam_list": gettext_lazy(
        "Calls to your number are blocked for a day, because there were so many. Please use "
        "another number, or try again tomorrow."
    ),
    "number_not_valid": _OTHER_NUMBER,
    "number_is_empty": _OTHER_NUMBER,
    "number_not_permitted": _OTHER_NUMBER,
    "not_enough_money": _NOT_YOUR_FAULT,
    "authorisation_failed": _NOT_YOUR_FAULT,
    "user_disabled": _NOT_YOUR_FAULT,
    errors.ACCOUNT_REFUSED: _NOT_YOUR_FAULT,
    errors.NO_BUDGET: _NOT_YOUR_FAULT,
}
#: Seconds in the queue after which a call is late.
_LATE = 20


def sentence(newest: Attempt | None) -> str:
    """Return what to say about the newest attempt of a customer, in the active language."""
    if newest is None:
        return str(_NOTHING_KNOWN)
    if newest.refusal is not None:
        return str(_REFUSED.get(newest.refusal.reason, _NOT_YOUR_FAULT))
    verification = newest.verification
    if verification is None:
        return _happened(newest.calls[-1], None)
    if verification.status == Verification.Status.APPROVED:
        return _approved(verification)
    happened = _happened(newest.calls[-1], verification) if newest.calls else ""
    over = _OVER.get(verification.current_status)
    return f"{happened} {over}".strip() if over else happened


def _approved(verification: Verification) -> str:
    values = {"time": _time(verification.approved_at or verification.created_at)}
    if verification.purpose == "login":
        return _("Your code was right: you logged in at %(time)s.") % values
    return _("Your code was right: your number was confirmed at %(time)s.") % values


def _happened(call: CallRequest, verification: Verification | None) -> str:
    state = CallRequest.State
    if call.state in (state.QUEUED, state.PLACING):
        return _waiting(call, verification)
    if call.state == state.REFUSED:
        return str(_NOT_MADE.get(call.error_code.casefold(), _OUR_FAULT))
    values = {"time": _time(call.placed_at or call.created_at)}
    if call.channel == CallRequest.Channel.SMS:
        return _sms(call) % values
    text = _voice(call) if call.channel == CallRequest.Channel.VOICE else _flash_call(call)
    digits = verification.code_length if verification else 4
    return f"{text % values} {_last_digits(digits)}" if _shows_code(call) else text % values


def _waiting(call: CallRequest, verification: Verification | None) -> str:
    if verification is not None and not verification.is_open:
        return str(_OUR_FAULT)
    if call.created_at < before(timezone.now(), _LATE):
        return _("Our calls are late right now. Please wait a few minutes.")
    return _("The code is on its way to you: it takes a few seconds more.")


def _shows_code(call: CallRequest) -> bool:
    """Whether the customer can read the code from the number that called."""
    return call.channel == CallRequest.Channel.FLASHCALL and call.state != CallRequest.State.FAILED


def _last_digits(digits: int) -> str:
    return ngettext(
        "The code is the last %(digits)d digit of the number that calls: look among the missed "
        "calls, and among the blocked ones.",
        "The code is the last %(digits)d digits of the number that calls: look among the missed "
        "calls, and among the blocked ones.",
        digits,
    ) % {"digits": digits}


def _flash_call(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state in (state.PLACED, state.DIALING):
        return _("We are calling you right now. Do not answer.")
    if call.state == state.UNKNOWN:
        return _("We probably called you at %(time)s. If you see no missed call, ask again.")
    if call.state == state.FAILED:
        return _failed()
    return _("We called you at %(time)s.")


def _voice(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state in (state.PLACED, state.DIALING):
        return _("A robot is calling you right now. Please answer and listen to the code.")
    if call.state == state.UNKNOWN:
        return _("A robot probably called you at %(time)s. If it did not, ask for the code again.")
    if call.state == state.FAILED:
        return _failed()
    if call.state == state.ANSWERED:
        return _(
            "A robot called you at %(time)s and said the code. If your mailbox answered, ask for "
            "the call again."
        )
    return _(
        "A robot called you at %(time)s, but nobody answered. Ask for the call again, and answer "
        "it."
    )


def _failed() -> str:
    return _(
        "We called you at %(time)s, but the operator did not put the call through. Please check "
        "that your phone is on, has a signal and lets unknown numbers call. You can also get the "
        "code in another way."
    )


def _sms(call: CallRequest) -> str:
    state = CallRequest.State
    if call.state == state.DELIVERED:
        return _(
            "The SMS with the code was delivered at %(time)s. Please look among the messages from "
            "unknown senders too."
        )
    if call.state in (state.NOT_DELIVERED, state.FAILED):
        return _(
            "The SMS of %(time)s could not be delivered. Please check that your phone is on and "
            "has a signal, or get the code by a call."
        )
    return _("The SMS with the code is on its way to you.")


def _time(moment: datetime) -> str:
    """Return the time of a moment of today, and the date and time of an earlier one."""
    local = timezone.localtime(as_aware(moment))
    if local.date() == timezone.localtime(as_aware(timezone.now())).date():
        return str(date_format(local, "H:i"))
    return short_moment(moment)
