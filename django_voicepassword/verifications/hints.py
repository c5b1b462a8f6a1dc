"""The hint: what happens now, and what the person has to do, in a few short sentences."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from django_voicepassword.calls import errors
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.verifications.messages import NOT_NOW, NOT_SOON
from django_voicepassword.verifications.stages import Stage

#: The hints of a verification that is closed.
_CLOSED: dict[str, str] = {
    Verification.Status.APPROVED: gettext_noop("The number is confirmed."),
    Verification.Status.EXPIRED: gettext_noop("The time is over. Start again to get a new code."),
    Verification.Status.MAX_ATTEMPTS: gettext_noop(
        "No attempts are left. Start again to get a new code."
    ),
    Verification.Status.CANCELED: gettext_noop("This confirmation was canceled. Start again."),
}
#: Nobody is told that the guard suspects an attack, but everybody why there is more to type.
_LONG_CODE = gettext_noop("The code is longer than usual, so that no stranger can guess it.")
_UNSENT = (CallRequest.State.QUEUED, CallRequest.State.PLACING)


def hint(
    verification: Verification,
    call: CallRequest | None,
    status: str,
    stage: Stage,
    next_channels: Sequence[str],
) -> str:
    """The hint of a verification whose newest call is ``call``.

    ``status``, ``stage`` and ``next_channels`` are those of its description; ``next_channels`` is
    empty where no send is left. The hint speaks of another way only where there is one.
    """
    if status != Verification.Status.PENDING:
        return _(_CLOSED[status])
    if call is None:
        return _("We are about to call you.")
    advice = _advice(call.channel, next_channels)
    if call.state == CallRequest.State.REFUSED:
        return _refused_hint(call, stage, advice)
    if call.channel == CallRequest.Channel.VOICE:
        sentences = _voice_hint(call, stage, advice)
    elif call.channel == CallRequest.Channel.SMS:
        sentences = _sms_hint(stage, advice)
    else:
        sentences = _flash_call_hint(call, stage, advice, verification.code_length)
    return _join(sentences, _(_LONG_CODE)) if verification.has_long_code else sentences


def _join(*sentences: str) -> str:
    """Sentences in a row. Not an f-string: ``makemessages`` finds no text inside one."""
    return " ".join(sentences)


def _advice(channel: str, next_channels: Sequence[str]) -> str:
    """What else gets a code, after a call or an SMS that brought none."""
    if not next_channels:
        return _("Start again to get a new code.")
    if list(next_channels) == [channel]:
        return _("Try again.")
    if channel not in next_channels:
        return _("Choose another way.")
    return _("Try again or choose another way.")


def _refused_hint(call: CallRequest, stage: Stage, advice: str) -> str:
    if stage == Stage.WRONG_NUMBER:
        return _("This number cannot be called. Check it, or enter another one.")
    if stage == Stage.BLOCKED_NUMBER:
        return _join(_("This number does not take our calls for now."), advice)
    if stage == Stage.UNAVAILABLE:
        return _unavailable_hint(call.error_code)
    if call.channel == CallRequest.Channel.SMS:
        return _join(_("The SMS could not be sent."), advice)
    return _join(_("The call could not be made."), advice)


def _unavailable_hint(error_code: str) -> str:
    if error_code == errors.NO_BUDGET:
        return _("Calls are not available today. Try again tomorrow.")
    if error_code in (errors.NOT_QUEUED, errors.UNREACHABLE):
        return _(NOT_NOW)
    return _(NOT_SOON)


def _voice_hint(call: CallRequest, stage: Stage, advice: str) -> str:
    if stage == Stage.PREPARING:
        return _("A robot is about to call you. Answer, and listen to the code.")
    if stage == Stage.UNDER_WAY:
        return _("A robot is calling you. Answer, listen to the code and enter it here.")
    if stage == Stage.SLOW:
        return _slow_hint(call, advice, _("If a robot said the code, enter it here."))
    if stage == Stage.BUSY:
        return _join(_("The robot called, but your line was busy. End the other call."), advice)
    if stage == Stage.FAILED:
        return _failed_hint(advice)
    if call.state == CallRequest.State.ANSWERED:
        return _("A robot called you and said the code. Enter it here.")
    return _join(_("The robot called, but nobody answered."), advice)


def _sms_hint(stage: Stage, advice: str) -> str:
    if stage == Stage.SLOW:
        return _join(_("The SMS is late. It may still come."), _("No SMS?"), advice)
    if stage == Stage.FAILED:
        return _join(_("The SMS was not delivered."), advice)
    if stage == Stage.DONE:
        return _("The SMS with the code was delivered. Enter the code here.")
    return _("The SMS with the code is on its way.")


def _flash_call_hint(call: CallRequest, stage: Stage, advice: str, digits: int) -> str:
    if stage == Stage.PREPARING:
        return _join(_("We are about to call you."), _do_not_answer(digits))
    if stage == Stage.UNDER_WAY:
        return _join(_("We are calling you."), _do_not_answer(digits))
    if stage == Stage.SLOW:
        where = _join(_("Look at your missed calls."), _code_was(digits))
        return _slow_hint(call, advice, where)
    if stage == Stage.BUSY:
        busy = _("Your line was busy, but there may be a missed call.")
        return _join(busy, _code_was(digits), _("No call?"), advice)
    if stage == Stage.FAILED:
        return _failed_hint(advice)
    # A flash call is not answered: NO ANSWER and CANCEL mean that it has shown its number.
    return _join(_("We called you."), _code_was(digits))


def _slow_hint(call: CallRequest, advice: str, where_code_is: str) -> str:
    if call.state in _UNSENT:
        late = _("The call is late. Keep your phone at hand.")
        return _join(late, _("No call?"), advice)
    late = _("The call should have come by now.")
    return _join(late, where_code_is, _("No call?"), advice)


def _failed_hint(advice: str) -> str:
    failed = _("The call did not get through. Check that your phone is on and has a signal.")
    return _join(failed, advice)


def _do_not_answer(digits: int) -> str:
    return ngettext(
        "Do not answer: the code is the last %(digits)d digit of the number that calls.",
        "Do not answer: the code is the last %(digits)d digits of the number that calls.",
        digits,
    ) % {"digits": digits}


def _code_was(digits: int) -> str:
    return ngettext(
        "The code is the last %(digits)d digit of the number that called.",
        "The code is the last %(digits)d digits of the number that called.",
        digits,
    ) % {"digits": digits}
