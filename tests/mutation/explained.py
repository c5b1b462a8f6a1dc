"""Mutants that no test can notice, and why.

Each entry: a part of the line as it is, a part of the changed line, the reason.
"""

from __future__ import annotations

_SPEED = "for speed alone"
_BY_CHOICE = "a size by choice"
_SECRETS = "the tests in secrets/ notice it"
_SAME_MOMENT = "the default is the same moment, but for microseconds"
_FOR_DEVELOPERS = "a message for developers"
_NO_NUMBER = "neither text is a number"
_NOT_WRITTEN = "nobody writes into it"

EXPLAINED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "limits/rates": (
        ("@lru_cache(maxsize=256)", "", _SPEED),
        ("@dataclass(frozen=True)", "@dataclass(", _NOT_WRITTEN),
    ),
    "limits/counters": (
        ("PURGE_BATCH = 1000", "PURGE_BATCH = ", _BY_CHOICE),
        ("RETURNING", "XX, ", "a name for a column that is read by its position"),
    ),
    "limits/client_ip": (
        ("META.get", "XX", "XX is no address"),
        ("is_first_in_hour", "XX", "another key that no other counter has either"),
    ),
    "limits/plans": (("@dataclass(frozen=True)", "@dataclass(", _NOT_WRITTEN),),
    "transactions": (
        ("the database cannot be used", "XX", _FOR_DEVELOPERS),
        ("_TRIES + 1)", "_TRIES + 2)", "the last attempt raises"),
        ('AssertionError("unreachable")', "", "unreachable, as it says"),
    ),
    "security/masking": (
        ("_PLAIN_KEYS", "", f"{_SPEED}: the other branch does not change these values"),
        ("length + 4096", "length + 409", _BY_CHOICE),
        ("[:64]", "", f"{_BY_CHOICE}, much longer than a number"),
        ("own_number = next", '"XX")', "XX has no digits to search for"),
        ('return ""', "return None", "neither is a country code"),
        ("phonenumbers.parse(", "XX", "letters before the plus are not read"),
    ),
    "verifications/sending": (
        ("@sensitive", "", _SECRETS),
        ("@translate_database_errors", "", "the tests in faults/ notice it: see the promises"),
        ("created_at=now", "", _SAME_MOMENT),
        ("known_calls = [call]", "pass", _SPEED),
        (
            "leaves_to_workers",
            "",
            "the tests in api/ notice it: they see the state of a call that was placed meanwhile",
        ),
    ),
    "verifications/resending": (
        ("@sensitive", "", _SECRETS),
        ("@translate_database_errors", "", "the tests in faults/ notice it: see the promises"),
        (
            "check_open(verification)",
            "pass",
            "resend checks before and after its count; without a race either is enough",
        ),
    ),
    "verifications/checking": (
        ("@dataclass(frozen=True)", "@dataclass(", _NOT_WRITTEN),
        ("@sensitive", "", _SECRETS),
        ("@translate_database_errors", "", "the tests in faults/ notice it: see the promises"),
        ("another purpose", "XX", _FOR_DEVELOPERS),
        ("from None", "pass", "no verification has no id, so that the same error is raised"),
    ),
    "verifications/proofs": (("@dataclass(frozen=True)", "@dataclass(", _NOT_WRITTEN),),
    "verifications/fixed_codes": (
        ("created_at=now", "", _SAME_MOMENT),
        ("force_insert=True", "", _SPEED),
    ),
    "calls/placing": (
        ("@sensitive", "", _SECRETS),
        ("logger.error(", "", "a line of the log"),
        ('base.rstrip("/")', "XX", "no address ends in X"),
    ),
    "calls/replies": (
        ("received_at=now", "", _SAME_MOMENT),
        ('call.claim("", ', '"XX"', "the refusal clears the digest a moment later"),
        (
            "return False",
            "return ",
            "only if another process moves the row between claim and write: no test does that",
        ),
    ),
    "calls/polling": (("@dataclass(frozen=True)", "@dataclass(", _NOT_WRITTEN),),
    "calls/recording": (
        ("return {}", "return None", "neither changes anything"),
        ("received_at=timezone.now()", "", _SAME_MOMENT),
    ),
    "provider/protocol/json_decoder": (
        ("_NO_BRACKETS", "", "it removes one byte more or less that is no bracket"),
        ("self._zeros", "XX", "two letters before the first byte are neither digits nor brackets"),
        ("self._rest", "XX", "two letters before the first byte are neither digits nor brackets"),
        (
            "whole = len(chunk)",
            "",
            "the parity is the same; and X occurs in no JSON outside of a text",
        ),
        ("chunk = chunk.replace", "XX", "the next line removes letters inside of texts"),
        ("pieces = chunk.translate", "XX", _SPEED),
        ("fewer = brackets.replace", "XX", "only brackets are counted, and letters are none"),
        ("break", "", _SPEED),
    ),
    "provider/protocol/replies": (
        ("data = items[0]", "items[ -1]", "the list has one item"),
        ("16)", "1", f"{_BY_CHOICE}, longer than every text that is compared"),
        ("16)", '"XX"', "neither ok nor error, and no code"),
        ("200)", '"XX"', "it contains no code"),
    ),
    "provider/protocol/reports": (
        ("_KEYS)", "6", f"{_BY_CHOICE}, much more than one character"),
        ("64)", "65)", "it is cut again, to 64, where it is stored"),
    ),
    "provider/protocol/callbacks": (
        ("isinstance(name, str) and", "isinstance(name, str) or", "a part with a name has bytes"),
    ),
    "provider/protocol/requests": (
        ('"ani")', "XX", _FOR_DEVELOPERS),
        ('else ""', "XX", _NO_NUMBER),
    ),
    "provider/protocol/daily_rows": (
        ("secret", "XX", "without a key nothing is masked, and no id has these letters"),
        ("is_usual, cached", "True", "for an unknown row the other branch returns the same"),
        ('report.number or ""', "XX", _NO_NUMBER),
    ),
    "provider/protocol/fields": (
        ("read_text(value, length + 1)", "length + 2", "both are longer than what is accepted"),
        ("_read_figure(value, 24)", "", f"{_BY_CHOICE}, longer than any amount"),
        (
            "_read_figure(value, 32)",
            "",
            f"{_BY_CHOICE}, longer than any amount or date; and XX is neither",
        ),
        (
            "_read_figure(value, 16)",
            "",
            f"{_BY_CHOICE}, longer than any duration; and XX is none",
        ),
    ),
    "provider/protocol/vocabulary": (
        ('_normalize(word or "")', '_normalize(word or "XX")', "neither is a word of the document"),
        (
            '(service or "").casefold() else "voice"',
            '(service or "XX")',
            "neither names a flash call",
        ),
    ),
}
