"""Errors in words for whoever runs the site: commands, the doctor and the health checks.

``messages`` has the texts for the person who logs in. No text contains a key, a code or a number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_voicepassword.exceptions import (
    AccountRefused,
    BudgetExhausted,
    ChallengeRequired,
    InvalidPhone,
    PrefixNotAllowed,
    ProviderRefused,
    RateLimited,
    Refused,
    Unavailable,
    Unreachable,
    UnreadableReply,
    VerificationError,
    VoicePasswordError,
)
from django_voicepassword.provider import factory
from django_voicepassword.verifications import messages
from django_voicepassword.verifications.limit_texts import duration, limit_name

#: What can be said in a sentence. Everything else is a bug, whose traceback helps.
EXPECTED = (VoicePasswordError, ImproperlyConfigured, DatabaseFailure)

#: What the messages of Unavailable and Unreachable say, for the catalogue of translations.
_DETAILS = (
    gettext_noop("the broker does not take the call"),
    gettext_noop("the provider cannot be reached"),
    gettext_noop("the database cannot be used"),
    gettext_noop("no connection to the provider"),
    gettext_noop("the TLS connection failed"),
    gettext_noop("the connection was refused"),
    gettext_noop("no answer in time"),
    gettext_noop("the connection broke"),
    gettext_noop("the connection broke while the answer was read"),
    gettext_noop("the answer does not end"),
    gettext_noop("the answer is incomplete"),
)


def error_text(error: Exception) -> str:
    """What is wrong, and what to do about it, in the active language.

    ``error`` is one of EXPECTED. A wrong setting has the words of its own error, which name it.
    """
    if isinstance(error, DatabaseFailure):
        return database_text()
    for kind, text in _TEXTS:
        if isinstance(error, kind):
            return text(error)
    if isinstance(error, VerificationError):
        return messages.error_text(error)
    return str(error)


def database_text() -> str:
    return _(
        "The tables of django_voicepassword cannot be read: is the database up, and is it migrated?"
    )


def account_refused_text(error_code: str) -> str:
    return _(
        "VoicePassword refuses the account (%(code)s): "
        "compare API_KEY with the key in your personal account there, "
        "and see whether the account is blocked or empty."
    ) % {"code": error_code}


def no_account_text() -> str:
    """Why there is no balance. Call it where ``factory.is_pretended``."""
    return _("There is no balance: TRANSPORT is “%(transport)s”, which has no account.") % {
        "transport": factory.transport()
    }


def unreachable_text() -> str:
    return _(
        "VoicePassword does not answer: is its address open to this server, or is it down itself?"
    )


def unreadable_text() -> str:
    return _("VoicePassword's answer cannot be understood: is API_URL right?")


def _limit_text(error: RateLimited) -> str:
    return _(
        "The limit “%(limit)s” is used up (%(what)s). It has room again in %(wait)s, at %(time)s."
    ) % {"limit": error.limit, "what": limit_name(error.limit), **_when(error.retry_after)}


def _budget_text(error: BudgetExhausted) -> str:
    return _(
        "DAILY_BUDGET is spent. The provider's next day begins in %(wait)s, at %(time)s."
    ) % _when(error.retry_after)


def _when(seconds: int) -> dict[str, str]:
    """The wait in words, and the moment at which it is over in the site's time zone."""
    now = timezone.now()
    local = timezone.localtime(now) if timezone.is_aware(now) else now
    at = local + timedelta(seconds=seconds)
    shown = "%H:%M" if at.date() == local.date() else "%Y-%m-%d %H:%M"
    return {"wait": duration(seconds), "time": at.strftime(shown)}


def _refused_text(error: Refused) -> str:
    return _("BEFORE_SEND of the project refused: %(reason)s") % {"reason": error.reason or "–"}


def _unavailable_text(error: Unavailable) -> str:
    if error.is_lasting:
        return _(
            "The provider refuses the account, so nothing is sent. "
            "“manage.py voicepassword_doctor” says what is wrong with it."
        )
    return _(
        "No call was made: %(detail)s. “manage.py voicepassword_doctor” says what is wrong."
    ) % {"detail": _(str(error))}


def _unreachable_text(error: Unreachable) -> str:
    return f"{unreachable_text()} ({_(str(error))})"


#: Kind of error -> its text, the special kinds first.
_TEXTS: list[tuple[type[VoicePasswordError], Callable[[Any], str]]] = [
    (RateLimited, _limit_text),
    (BudgetExhausted, _budget_text),
    (Refused, _refused_text),
    (Unavailable, _unavailable_text),
    (InvalidPhone, messages.error_text),
    (
        PrefixNotAllowed,
        lambda error: _(
            "Such numbers are not called: ALLOWED_PREFIXES does not name their beginning, or they "
            "are premium-rate, shared-cost or satellite numbers."
        ),
    ),
    (
        ChallengeRequired,
        lambda error: _(
            "A limit is used up, and more is only sent after a challenge, which no command can "
            "solve. Log in on the page instead."
        ),
    ),
    (AccountRefused, lambda error: account_refused_text(error.error_code)),
    (
        ProviderRefused,
        lambda error: _("VoicePassword refused: %(code)s.") % {"code": error.error_code},
    ),
    (Unreachable, _unreachable_text),
    (UnreadableReply, lambda error: unreadable_text()),
]
