"""The exceptions of this package. Needs no Django.

    VoicePasswordError
    ├── ProviderError            on the provider's side; ``may_have_rung``
    │   ├── Unreachable          no answer, or a 5xx
    │   ├── UnreadableReply      an answer that the provider's document does not describe
    │   └── ProviderRefused      an answer with an error code; ``error_code``
    │       ├── AccountRefused   the owner of the account must act
    │       ├── NumberRefused    the person must use another number, or wait a day
    │       └── RequestRefused   the developer must act
    └── VerificationError        on the app's side, reported to the person
        ├── InvalidPhone
        ├── PrefixNotAllowed
        ├── RateLimited          ``limit``, ``retry_after``
        ├── ChallengeRequired    a challenge must be solved first
        ├── BudgetExhausted      ``retry_after``
        ├── Refused              ``reason``
        │   └── DormantPhone     nobody has proved the number for too long; ``has_password``
        ├── Unavailable          the broker, the provider or the database is down
        ├── WrongCode            ``attempts_left``
        ├── TooManyAttempts      ``retry_after``
        ├── VerificationExpired
        ├── VerificationClosed
        ├── InvalidProof
        ├── LastPhone            a number that the user needs to log in
        ├── IdempotencyConflict
        ├── InvalidIdempotencyKey
        └── ChannelUnavailable

``code`` is for programs and does not change. The message is for developers and never contains an
API key, a code or a whole phone number. ``verifications.messages`` has the text for people.
"""

from __future__ import annotations


class VoicePasswordError(Exception):
    """The base class of all exceptions of this package."""

    code = "error"
    #: The HTTP status with which the API and the pages answer, as in DRF's exceptions.
    status_code = 500


class ProviderError(VoicePasswordError):
    """The provider did not do what it was asked to do."""

    code = "provider_error"
    status_code = 502
    #: Whether the request may have reached the provider and made a phone ring. If so, it must never
    #: be sent again.
    may_have_rung = False


class Unreachable(ProviderError):
    """No answer. ``may_have_rung`` is False only if the request certainly was not sent."""

    code = "unreachable"

    def __init__(self, message: str, *, may_have_rung: bool) -> None:
        super().__init__(message)
        self.may_have_rung = may_have_rung


class UnreadableReply(ProviderError):
    """The provider's document does not describe such an answer."""

    code = "unreadable_reply"
    may_have_rung = True


class ProviderRefused(ProviderError):
    """The provider answered ``{"result": "error"}``.

    ``error_code`` is its error code, stripped and masked.
    """

    code = "provider_refused"

    def __init__(self, error_code: str) -> None:
        super().__init__(f"the provider refused: {error_code}")
        self.error_code = error_code


class AccountRefused(ProviderRefused):
    """The key is wrong, the account is blocked or has no money: its owner must act."""

    code = "account_refused"


class NumberRefused(ProviderRefused):
    """The number cannot be called, or not today: the person must act."""

    code = "number_refused"


class RequestRefused(ProviderRefused):
    """The request itself was wrong: the developer must act."""

    code = "request_refused"


class VerificationError(VoicePasswordError):
    """A verification cannot be started, continued or approved."""

    code = "verification_error"
    status_code = 400


class InvalidPhone(VerificationError):
    """The text is not a phone number. The message does not contain it."""

    code = "invalid_phone"

    def __init__(self, message: str = "not a phone number: write it with its country code") -> None:
        super().__init__(message)


class PrefixNotAllowed(VerificationError):
    """The number is valid, but ALLOWED_PREFIXES does not allow calls to it, or nothing does.

    Premium-rate, shared-cost and satellite numbers are never called. ``is_landline`` is True where
    ALLOWED_PREFIXES refuses the number of a landline: the person needs a mobile phone.
    """

    code = "prefix_not_allowed"

    def __init__(
        self,
        message: str = "numbers of this country or operator are not called",
        is_landline: bool = False,
    ) -> None:
        super().__init__(message)
        self.is_landline = is_landline


class RateLimited(VerificationError):
    """A limit is reached: ``limit`` is its name, ``retry_after`` the seconds to wait.

    ``offers_longer_code`` is True where a short code takes no more guesses, but a resend at once
    gets a longer one that does.
    """

    code = "rate_limited"
    status_code = 429

    def __init__(self, limit: str, retry_after: int, offers_longer_code: bool = False) -> None:
        super().__init__(f"limit {limit!r} is reached, try again in {retry_after} s")
        self.limit = limit
        self.retry_after = retry_after
        self.offers_longer_code = offers_longer_code


class ChallengeRequired(VerificationError):
    """A challenge must be solved before anything is sent: see CHALLENGE.

    The request can be repeated with the answer of the solved challenge.
    """

    code = "challenge_required"
    status_code = 403

    def __init__(self, message: str = "solve the challenge, then send the request again") -> None:
        super().__init__(message)


class BudgetExhausted(VerificationError):
    """DAILY_BUDGET is spent; ``retry_after`` is the seconds until the provider's next day."""

    code = "budget_exhausted"
    status_code = 503

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"DAILY_BUDGET is spent, the next day begins in {retry_after} s")
        self.retry_after = retry_after


class Refused(VerificationError):
    """BEFORE_SEND of the host project refused, or nobody may log in with this number."""

    code = "refused"
    status_code = 403

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason or "refused")
        self.reason = reason


class DormantPhone(Refused):
    """The code was right, but nobody had proved the number for DORMANT_AFTER_DAYS.

    It may have another holder by now, so it opens no account. ``has_password`` says whether its
    user can log in with a password, and then prove the number.
    """

    def __init__(self, has_password: bool) -> None:
        super().__init__("nobody has proved the number for DORMANT_AFTER_DAYS")
        self.has_password = has_password


class Unavailable(VerificationError):
    """The broker, the provider or the database is down. A send that raises this did not ring.

    Only where it is the repeat of an accepted request (``idempotency_key``), the broker may hold
    the first one's call, which rings later. Repeat it with the same key.

    A guess that was committed before the database failed stays counted. ``is_lasting`` is True
    where somebody must act first, for example pay into the provider's account.
    """

    code = "unavailable"
    status_code = 503

    def __init__(self, message: str = "", is_lasting: bool = False) -> None:
        super().__init__(message)
        self.is_lasting = is_lasting


class WrongCode(VerificationError):
    """The guess was wrong; ``attempts_left`` may be 0.

    It was counted, unless it could not be right: empty, of another length, or not only digits. Then
    ``digits`` is how many digits the code has; otherwise it is None.
    """

    code = "wrong_code"

    def __init__(self, attempts_left: int, digits: int | None = None) -> None:
        super().__init__(f"wrong code, attempts left: {attempts_left}")
        self.attempts_left = attempts_left
        self.digits = digits


class TooManyAttempts(VerificationError):
    """No guess is left; ``retry_after`` is the seconds until the verification ends."""

    code = "too_many_attempts"
    status_code = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"no attempt is left: start a new verification, this one ends in {retry_after} s"
        )
        self.retry_after = retry_after


class VerificationExpired(VerificationError):
    """The verification has expired; a new one is needed."""

    code = "verification_expired"
    status_code = 410

    def __init__(self, message: str = "the verification has expired: start a new one") -> None:
        super().__init__(message)


class VerificationClosed(VerificationError):
    """The verification is approved or canceled already; a new one is needed."""

    code = "verification_closed"
    status_code = 409

    def __init__(self, message: str = "the verification is closed: start a new one") -> None:
        super().__init__(message)


class InvalidProof(VerificationError):
    """The proof was not made by this site, was changed, or was used before.

    Or its verification is deleted, has a masked number, or was started for another purpose.
    """

    code = "invalid_proof"


class LastPhone(VerificationError):
    """The number cannot be removed: without it, its user could not log in."""

    code = "last_phone"
    status_code = 409

    def __init__(
        self, message: str = "the user has neither a usable password nor another proved number"
    ) -> None:
        super().__init__(message)


class IdempotencyConflict(VerificationError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_conflict"
    status_code = 422

    def __init__(
        self, message: str = "this Idempotency-Key came with another request: make a new key"
    ) -> None:
        super().__init__(message)


class InvalidIdempotencyKey(VerificationError):
    """The text is no Idempotency-Key. The message does not contain it."""

    code = "invalid_idempotency_key"

    def __init__(
        self,
        message: str = "an Idempotency-Key has 16 to 128 visible ASCII characters, "
        "for example a random UUID",
    ) -> None:
        super().__init__(message)


class ChannelUnavailable(VerificationError):
    """The channel is not in CHANNELS, or there is no call whose code an SMS could repeat."""

    code = "channel_unavailable"
