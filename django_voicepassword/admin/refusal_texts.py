"""Why a send was refused and what can be done about it, in words for support."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword.exceptions import (
    BudgetExhausted,
    ChallengeRequired,
    ChannelUnavailable,
    IdempotencyConflict,
    InvalidIdempotencyKey,
    PrefixNotAllowed,
    Refused,
    TooManyAttempts,
    Unavailable,
    VerificationClosed,
    VerificationExpired,
)
from django_voicepassword.verifications.limit_texts import limit_name

#: Word of an error that is no limit -> its name.
_NAMES: dict[str, Promise] = {
    BudgetExhausted.code: gettext_lazy("the day's money is spent"),
    ChallengeRequired.code: gettext_lazy("the challenge was not solved"),
    ChannelUnavailable.code: gettext_lazy("the channel was not available"),
    IdempotencyConflict.code: gettext_lazy("a key of another request"),
    InvalidIdempotencyKey.code: gettext_lazy("a malformed key"),
    PrefixNotAllowed.code: gettext_lazy("numbers like this are not called"),
    Refused.code: gettext_lazy("the site's own rule"),
    TooManyAttempts.code: gettext_lazy("no attempts were left"),
    Unavailable.code: gettext_lazy("something was down"),
    VerificationClosed.code: gettext_lazy("the code was used or canceled"),
    VerificationExpired.code: gettext_lazy("the time of the code was over"),
}

_UNBLOCK_GUESSES = gettext_lazy(
    "Unblock the number: its wrong codes can be forgotten once in 24 hours. "
    "A device that has logged in with the number before gets in all the same."
)
_CROWD = gettext_lazy(
    "Nothing is wrong with the customer: wait, or let the owner raise the limit. "
    "A device that has logged in with the number before gets in all the same."
)
_START_AGAIN = gettext_lazy("The customer must start again to get a new code.")
_DEVELOPER = gettext_lazy("The program sent a wrong request: a developer must look at it.")
#: Reason -> what can be done.
_ADVICE: dict[str, Promise] = {
    "phone": gettext_lazy(
        "Unblock the number, or let the customer wait. "
        "A device that has logged in with the number before gets in all the same."
    ),
    "device": gettext_lazy("Unblock the number, or let the customer wait."),
    "phone_guesses": _UNBLOCK_GUESSES,
    "long_guesses": _UNBLOCK_GUESSES,
    "ip": gettext_lazy(
        "Many people may share this address, as in an office or with a mobile operator: then "
        "unblock it. If one visitor tries many numbers, leave it as it is."
    ),
    "prefix": _CROWD,
    "site": _CROWD,
    "guard": gettext_lazy(
        "The guard suspects an attack on numbers or from addresses like these. The page "
        "Protection tells why, and can lift it."
    ),
    "sends": _START_AGAIN,
    "resend_after": gettext_lazy(
        "The customer asked again too early: the button works a minute later."
    ),
    BudgetExhausted.code: gettext_lazy(
        "The owner must raise DAILY_BUDGET; else calls go on with the provider's next day."
    ),
    ChallengeRequired.code: gettext_lazy(
        "The customer must show that they are not a robot. If the page shows no challenge, a"
        " developer must look at CHALLENGE."
    ),
    ChannelUnavailable.code: gettext_lazy(
        "That way is switched off, or there was no call yet whose code an SMS could repeat."
    ),
    IdempotencyConflict.code: _DEVELOPER,
    InvalidIdempotencyKey.code: _DEVELOPER,
    PrefixNotAllowed.code: gettext_lazy(
        "The number is of a country or operator that is not in ALLOWED_PREFIXES, or calls to it "
        "cost extra. Ask the customer for another one."
    ),
    Refused.code: gettext_lazy(
        "The project's own function BEFORE_SEND refused: a developer knows why."
    ),
    TooManyAttempts.code: _START_AGAIN,
    Unavailable.code: gettext_lazy(
        "The provider, the queue of tasks or the database was down: the customer may try again."
    ),
    VerificationClosed.code: _START_AGAIN,
    VerificationExpired.code: _START_AGAIN,
}
#: The limits whose name says what is counted.
_COUNTED = ("phone", "device", "phone_guesses", "long_guesses", "ip", "prefix", "site", "sends")
#: The reasons that have words here.
REASONS = tuple(_ADVICE)


def name(reason: str) -> str:
    """Return the name of a reason in the active language; an unknown one as it is."""
    if reason in _NAMES:
        return str(_NAMES[reason])
    limit = limit_name(reason)
    return _("too many %(limit)s") % {"limit": limit} if reason in _COUNTED else limit


def advice(reason: str) -> str:
    """Return what can be done, in the active language; "" for a reason that is not known."""
    return str(_ADVICE.get(reason, ""))
