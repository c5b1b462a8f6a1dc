"""The sentences that people read: errors, and the labels of buttons. ``hints`` has the hints."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from django_voicepassword.exceptions import (
    BudgetExhausted,
    ChallengeRequired,
    ChannelUnavailable,
    DormantPhone,
    IdempotencyConflict,
    InvalidIdempotencyKey,
    InvalidPhone,
    InvalidProof,
    LastPhone,
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
from django_voicepassword.verifications import challenge
from django_voicepassword.verifications.limit_texts import duration, limit_text

NOT_NOW = gettext_noop("Calls are not available right now. Try again in a minute.")
#: Whether the owner of the site acts within a minute or in a week is not known.
NOT_SOON = gettext_noop("Calls are not available for now. Try again later.")
#: The texts of errors that carry no value of their own, such as a wait.
_ERROR_TEXTS: dict[type[VerificationError], str] = {
    InvalidPhone: gettext_noop("This is not a phone number. Enter it like +7 999 123-45-67."),
    PrefixNotAllowed: gettext_noop(
        "We cannot call numbers of this country or operator. Enter another number."
    ),
    ChannelUnavailable: gettext_noop("This way is not available now. Choose another one."),
    Refused: gettext_noop(
        "This number cannot be used here. Enter another number, or write to support."
    ),
    VerificationClosed: gettext_noop("This code was used already. Start again to get a new one."),
    VerificationExpired: gettext_noop("The time is over. Start again to get a new code."),
    TooManyAttempts: gettext_noop("No attempts are left. Start again to get a new code."),
    ChallengeRequired: gettext_noop("Confirm that you are not a robot, then try again."),
    LastPhone: gettext_noop(
        "This number cannot be removed: without it you could not log in. "
        "Add another number or set a password first."
    ),
    InvalidProof: gettext_noop("The confirmation of the number is not valid. Confirm it again."),
    IdempotencyConflict: gettext_noop(
        "This request differs from the one that had the same key. Send it with a new key."
    ),
    InvalidIdempotencyKey: gettext_noop(
        "The Idempotency-Key must have 16 to 128 visible characters. Use a random UUID."
    ),
    VerificationError: NOT_NOW,
}
_DORMANT = gettext_noop(
    "Nobody has confirmed this number for a long time. Log in another way and confirm the number."
)
_DORMANT_WITHOUT_PASSWORD = gettext_noop(
    "Nobody has confirmed this number for a long time. Write to support to log in with it again."
)


def error_text(error: VerificationError) -> str:
    """What is wrong and what to do next, in the active language."""
    if isinstance(error, WrongCode):
        return _wrong_code_text(error)
    if isinstance(error, PrefixNotAllowed) and error.is_landline:
        return _("This is a landline. Enter the number of a mobile phone.")
    if isinstance(error, Unavailable) and error.is_lasting:
        return _(NOT_SOON)
    if isinstance(error, DormantPhone):
        return _(_DORMANT if error.has_password else _DORMANT_WITHOUT_PASSWORD)
    if isinstance(error, RateLimited):
        return limit_text(error)
    if isinstance(error, BudgetExhausted):
        text = _("Calls are not available for now. Try again in %(wait)s.")
        return text % {"wait": duration(error.retry_after)}
    # VerificationError comes last, and every error is one.
    return next(_(text) for kind, text in _ERROR_TEXTS.items() if isinstance(error, kind))


def _wrong_code_text(error: WrongCode) -> str:
    left, digits = error.attempts_left, error.digits
    if digits is not None:
        # The guess was not compared.
        return ngettext(
            "The code has %(digits)d digit and no letters. Enter it again: this was no attempt.",
            "The code has %(digits)d digits and no letters. Enter it again: this was no attempt.",
            digits,
        ) % {"digits": digits}
    if left == 0:
        return _("Wrong code, and no attempts are left. Start again to get a new code.")
    return ngettext(
        "Wrong code. %(left)d attempt is left.", "Wrong code. %(left)d attempts are left.", left
    ) % {"left": left}


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
