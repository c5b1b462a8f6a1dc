"""Every error of the package. Knows no Django.

    VoicePasswordError
    ├── ProviderError                    the provider's side; ``may_have_rung`` says whether money may be spent
    │   ├── Unreachable                  no answer, or a 5xx
    │   ├── UnreadableReply              an answer that is no reply
    │   └── ProviderRefused              the provider answered with an error code
    │       ├── AccountRefused           the owner of the account must act
    │       ├── NumberRefused            the person must act: another number, or another day
    │       └── RequestRefused           the developer must act
    └── VerificationError                our side, told to the person
        ├── InvalidPhone
        ├── PrefixNotAllowed
        ├── RateLimited                  limit, retry_after
        ├── BudgetExhausted
        ├── Refused                      reason
        ├── Unavailable                  the broker, the provider or the database is down
        ├── WrongCode                    attempts_left
        ├── TooManyAttempts              retry_after
        ├── VerificationExpired
        ├── VerificationClosed
        ├── InvalidProof
        └── ChannelUnavailable

``code`` is a stable word, for programs; the message is for developers and never holds a key, a code
or a whole phone number. What a person reads is made of ``code`` by
``django_voicepassword.presentation``.
"""

from __future__ import annotations


class VoicePasswordError(Exception):
    """Whatever goes wrong here. ``code`` is a stable word."""

    code = "error"
    #: The HTTP status with which the API and the pages answer, as in DRF's exceptions.
    status_code = 500


class ProviderError(VoicePasswordError):
    """The provider did not do what it was asked."""

    code = "provider_error"
    status_code = 502
    #: True where the request may have reached the provider and rung somebody: never send it again.
    may_have_rung = False


class Unreachable(ProviderError):
    """No answer came. ``may_have_rung`` is False only when the request surely did not leave."""

    code = "unreachable"

    def __init__(self, message: str, *, may_have_rung: bool) -> None:
        super().__init__(message)
        self.may_have_rung = may_have_rung


class UnreadableReply(ProviderError):
    """An answer came, and it is none that the provider's document knows."""

    code = "unreadable_reply"
    may_have_rung = True


class ProviderRefused(ProviderError):
    """The provider answered ``{"result": "error"}``; ``error_code`` is its own word, stripped and
    masked.
    """

    code = "provider_refused"

    def __init__(self, error_code: str) -> None:
        super().__init__(f"the provider refused: {error_code}")
        self.error_code = error_code


class AccountRefused(ProviderRefused):
    """The owner of the account must act: the key, the block, the money."""

    code = "account_refused"


class NumberRefused(ProviderRefused):
    """The person must act: this number cannot be called, or not today."""

    code = "number_refused"


class RequestRefused(ProviderRefused):
    """The developer must act: the request itself was wrong."""

    code = "request_refused"


class VerificationError(VoicePasswordError):
    """A verification could not be started, continued or approved."""

    code = "verification_error"
    status_code = 400


class InvalidPhone(VerificationError):
    """The text is no phone number. The number itself is never repeated in the message."""

    code = "invalid_phone"

    def __init__(self, message: str = "not a phone number: write it with its country code") -> None:
        super().__init__(message)


class PrefixNotAllowed(VerificationError):
    """The number is right, but ALLOWED_PREFIXES does not let it be called."""

    code = "prefix_not_allowed"

    def __init__(self, message: str = "numbers of this country or operator are not called") -> None:
        super().__init__(message)


class RateLimited(VerificationError):
    """A limit is reached. ``limit`` is its name, ``retry_after`` the whole seconds until it opens."""

    code = "rate_limited"
    status_code = 429

    def __init__(self, limit: str, retry_after: int) -> None:
        super().__init__(f"limit {limit!r} is reached, try again in {retry_after} s")
        self.limit = limit
        self.retry_after = retry_after


class BudgetExhausted(VerificationError):
    """DAILY_BUDGET of the provider's day is spent. ``retry_after``: seconds to the next day."""

    code = "budget_exhausted"
    status_code = 503

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"DAILY_BUDGET is spent, the next day begins in {retry_after} s")
        self.retry_after = retry_after


class Refused(VerificationError):
    """Not allowed: the host project's BEFORE_SEND said no, or nobody may log in with this number."""

    code = "refused"
    status_code = 403

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "refused")
        self.reason = reason


class Unavailable(VerificationError):
    """The broker, the provider or the database is down. What was not answered yet did not ring.

    Where the database goes away behind a commit, a guess that was counted stays counted.
    """

    code = "unavailable"
    status_code = 503


class WrongCode(VerificationError):
    """The guess was wrong, and counted. ``attempts_left`` may be 0."""

    code = "wrong_code"

    def __init__(self, attempts_left: int) -> None:
        super().__init__(f"wrong code, attempts left: {attempts_left}")
        self.attempts_left = attempts_left


class TooManyAttempts(VerificationError):
    """No guess is left. ``retry_after``: seconds to the end of the verification."""

    code = "too_many_attempts"
    status_code = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"no attempt is left, start anew (this one ends in {retry_after} s)")
        self.retry_after = retry_after


class VerificationExpired(VerificationError):
    """The lifetime is over: start anew."""

    code = "verification_expired"
    status_code = 410

    def __init__(self, message: str = "the verification has expired: start a new one") -> None:
        super().__init__(message)


class VerificationClosed(VerificationError):
    """Approved already, or canceled: start anew."""

    code = "verification_closed"
    status_code = 409

    def __init__(self, message: str = "the verification is closed: start a new one") -> None:
        super().__init__(message)


class InvalidProof(VerificationError):
    """The proof was not made here, was changed, or its verification is gone."""

    code = "invalid_proof"


class ChannelUnavailable(VerificationError):
    """The channel is not in CHANNELS, or an SMS has no earlier call to repeat."""

    code = "channel_unavailable"
