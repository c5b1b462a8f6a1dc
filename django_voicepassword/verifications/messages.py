"""The sentences that people read: hints, errors, and the labels of buttons."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from django_voicepassword.exceptions import (
    AccountRefused,
    BudgetExhausted,
    ChallengeRequired,
    ChannelUnavailable,
    IdempotencyConflict,
    InvalidIdempotencyKey,
    InvalidPhone,
    InvalidProof,
    PrefixNotAllowed,
    RateLimited,
    Refused,
    TooManyAttempts,
    Unavailable,
    VerificationClosed,
    VerificationError,
    VerificationExpired,
    WrongCode,
)
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.provider.protocol.vocabulary import is_of_account
from django_voicepassword.security import masking
from django_voicepassword.verifications import challenge
from django_voicepassword.verifications.limit_texts import duration, limit_text


def hint(verification: Verification, call: CallRequest | None, status: str) -> str:
    """What happens now and what the person has to do, in one or two sentences."""
    if status == Verification.Status.APPROVED:
        return _("The number is confirmed.")
    if status == Verification.Status.EXPIRED:
        return _("The time is over. Start again to get a new code.")
    if status == Verification.Status.MAX_ATTEMPTS:
        return _("No attempts are left. Start again to get a new code.")
    if status == Verification.Status.CANCELED:
        return _("This confirmation was canceled. Start again.")
    if call is None:
        return _("The call is being prepared.")
    if call.state == CallRequest.State.REFUSED:
        return _refused_hint(call)
    sentence = _delivery_hint(call, verification)
    return f"{sentence} {_(_LONG_CODE)}" if verification.has_long_code else sentence


#: Nobody is told that the guard suspects an attack, but everybody why there is more to type.
_LONG_CODE = gettext_noop("The code is longer than usual, so that no stranger can guess it.")


def _refused_hint(call: CallRequest) -> str:
    code = call.error_code.casefold()
    if code == "number_in_spam_list":
        return _(
            "Our calls to this number are blocked for now. Try another way, or again tomorrow."
        )
    if code in ("number_not_valid", "number_is_empty", "number_not_permitted"):
        return _("This number cannot be called. Check the number, or enter another one.")
    if code == BudgetExhausted.code:
        return _("Calls are not available today. Try again tomorrow or log in another way.")
    if code == AccountRefused.code or is_of_account(code):
        return _(_NOT_SOON)
    if call.channel == CallRequest.Channel.SMS:
        return _("The SMS could not be sent. Try again or choose another way.")
    return _("The call could not be made. Try again or choose another way.")


def _delivery_hint(call: CallRequest, verification: Verification) -> str:
    phone = masking.mask(verification.phone)
    if call.channel == CallRequest.Channel.VOICE:
        return _voice_hint(call.state) % {"phone": phone}
    if call.channel == CallRequest.Channel.SMS:
        return _sms_hint(call.state) % {"phone": phone}
    return _flash_call_hint(call, phone, verification.code_length)


def _voice_hint(state: str) -> str:
    if state in (CallRequest.State.NO_ANSWER, CallRequest.State.BUSY, CallRequest.State.CANCELED):
        return _(
            "The robot called %(phone)s, but nobody answered. "
            "Let it call again or choose another way."
        )
    if state == CallRequest.State.FAILED:
        return _("The call to %(phone)s failed. Try again or choose another way.")
    if state == CallRequest.State.ANSWERED:
        return _("A robot called %(phone)s and said the code. Enter it here.")
    return _("A robot calls %(phone)s. Answer, listen to the code and enter it here.")


def _sms_hint(state: str) -> str:
    if state in (CallRequest.State.NOT_DELIVERED, CallRequest.State.FAILED):
        return _("The SMS to %(phone)s was not delivered. Try again or choose another way.")
    if state == CallRequest.State.DELIVERED:
        return _("The SMS with the code was delivered to %(phone)s.")
    return _("An SMS with the code is on its way to %(phone)s.")


def _flash_call_hint(call: CallRequest, phone: str, digits: int) -> str:
    if call.state == CallRequest.State.FAILED:
        return _(
            "The call to %(phone)s failed. If nobody called, try again or choose another way."
        ) % {"phone": phone}
    # A flash call is not answered: NO ANSWER, BUSY and CANCEL mean that it has shown its number.
    if call.state in CallRequest.FINAL_STATES:
        return ngettext(
            "We called %(phone)s. The code is the last %(digits)d digit of the number that called.",
            "We called %(phone)s. "
            "The code is the last %(digits)d digits of the number that called.",
            digits,
        ) % {"phone": phone, "digits": digits}
    return ngettext(
        "We are calling %(phone)s. Do not answer: "
        "the code is the last %(digits)d digit of the number that calls.",
        "We are calling %(phone)s. Do not answer: "
        "the code is the last %(digits)d digits of the number that calls.",
        digits,
    ) % {"phone": phone, "digits": digits}


#: The texts of errors that carry no value of their own, such as a wait.
_ERROR_TEXTS: dict[type[VerificationError], str] = {
    InvalidPhone: gettext_noop("This is not a phone number. Enter it like +7 999 123-45-67."),
    PrefixNotAllowed: gettext_noop(
        "We cannot call numbers of this country or operator. Enter another number."
    ),
    ChannelUnavailable: gettext_noop("This way is not available now. Choose another one."),
    Refused: gettext_noop("This number cannot be used here."),
    VerificationClosed: gettext_noop("This code was used already. Start again to get a new one."),
    VerificationExpired: gettext_noop("The time is over. Start again to get a new code."),
    TooManyAttempts: gettext_noop("No attempts are left. Start again to get a new code."),
    ChallengeRequired: gettext_noop("Confirm that you are not a robot, then try again."),
    InvalidProof: gettext_noop("The confirmation of the number is not valid. Confirm it again."),
    IdempotencyConflict: gettext_noop(
        "This request differs from the one that had the same key. Send it with a new key."
    ),
    InvalidIdempotencyKey: gettext_noop(
        "The Idempotency-Key must have 16 to 128 visible characters. Use a random UUID."
    ),
    VerificationError: gettext_noop("Calls are not available right now. Try again in a minute."),
}
#: Whether the owner of the site acts within a minute or in a week is not known.
_NOT_SOON = gettext_noop("Calls are not available for now. Log in another way or try again later.")


def error_text(error: VerificationError) -> str:
    """What is wrong and what to do next, in the active language."""
    if isinstance(error, WrongCode):
        return _wrong_code_text(error.attempts_left)
    if isinstance(error, Unavailable) and error.is_lasting:
        return _(_NOT_SOON)
    if isinstance(error, RateLimited):
        return limit_text(error)
    if isinstance(error, BudgetExhausted):
        text = _("Calls are not available for now. Try again in %(wait)s or log in another way.")
        return text % {"wait": duration(error.retry_after)}
    # VerificationError comes last, and every error is one.
    return next(_(text) for kind, text in _ERROR_TEXTS.items() if isinstance(error, kind))


def _wrong_code_text(attempts_left: int) -> str:
    if attempts_left == 0:
        return _("Wrong code, and no attempts are left. Start again to get a new code.")
    return ngettext(
        "Wrong code. %(left)d attempt is left.",
        "Wrong code. %(left)d attempts are left.",
        attempts_left,
    ) % {"left": attempts_left}


def error_body(error: VerificationError) -> dict[str, Any]:
    """The error as JSON: ``code``, ``detail``, and ``attempts_left``, ``retry_after``, ``limit``
    where the error has them; ``challenge`` where it is known how one is to be solved.
    """
    body: dict[str, Any] = {"code": error.code, "detail": error_text(error)}
    for name in ("attempts_left", "retry_after", "limit"):
        if hasattr(error, name):
            body[name] = getattr(error, name)
    if isinstance(error, ChallengeRequired):
        body |= _challenge_body()
    return body


def _challenge_body() -> dict[str, Any]:
    widget = challenge.widget()
    if widget is None or widget.provider is None:
        return {}
    return {"challenge": {"provider": widget.provider.name, "site_key": widget.site_key}}


def channel_action(channel: str) -> str:
    """The label of the button that sends the code by ``channel``."""
    return {
        "flashcall": _("Call me again"),
        "voice": _("Let a robot say the code"),
        "sms": _("Send the code by SMS"),
    }[channel]
