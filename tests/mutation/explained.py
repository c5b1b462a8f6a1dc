"""Changes that no test can notice, and why: (what stands there, what would stand there, the
reason), parts of lines.
"""

from __future__ import annotations

EXPLAINED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "limits/reservations": (
        ("PURGE_BATCH = 1000", "PURGE_BATCH = ", "a size by choice"),
        ("@lru_cache(maxsize=256)", "", "for speed alone"),
        (
            "key__in=rates_by_key",
            "objects.filter().values_list",
            "more rows are read than are looked at",
        ),
        ("RETURNING", "XX, ", "a name for a column that is read by its place"),
        ("strict=True", "row,)]", "a row has as many values as there are fields"),
        ("strict=True", "strict=False", "a row has as many values as there are fields"),
    ),
    "limits/subjects": (
        ("@dataclass(frozen=True)", "@dataclass(", "nobody writes into it"),
        (
            'if error.limit == "phone" else ""',
            '"XX"',
            "the limit that refused is asked again, and refuses again",
        ),
        ("raise", "pass", "what follows asks the same limit again, and it refuses again"),
        ("device_guesses", "XX", "another key, that no other counter has either"),
    ),
    "transactions": (
        ("the database cannot be used", "XX", "a sentence for developers"),
        ("_TRIES + 1)", "_TRIES + 2)", "the last try raises"),
        ('AssertionError("unreachable")', "", "unreachable, as it says"),
    ),
    "provider/protocol/json_decoder": (
        ("_NO_BRACKETS", "", "one byte more or less is taken out that is no bracket"),
        ("self._zeros", "XX", "two letters before the first byte are neither digits nor brackets"),
        ("self._rest", "XX", "two letters before the first byte are neither digits nor brackets"),
        (
            "whole = len(chunk)",
            "",
            "the same parity; and X is no character of JSON outside of text",
        ),
        ("chunk = chunk.replace", "XX", "letters in text are taken out a line later"),
        ("pieces = chunk.translate", "XX", "for speed alone"),
        ("fewer = brackets.replace", "XX", "letters are no brackets, and only those are counted"),
        ("break", "", "for speed alone"),
    ),
    "security/masking": (
        ("_PLAIN_KEYS", "", "for speed alone: the other way leaves these words as they are"),
        ("length + 4096", "length + 409", "a size by choice"),
        ("[:64]", "", "a size by choice, far beyond what is looked for"),
        ("own_number = next", '"XX")', "XX has no digits to be found"),
        ('return ""', "return None", "neither is a country code"),
        ("phonenumbers.parse(", "XX", "letters before the plus are not read"),
    ),
    "provider/protocol/replies": (
        ("data = data[0]", "data[ -1]", "a list of one"),
        ("16)", "1", "a size by choice, beyond what is compared"),
        ("16)", '"XX"', "neither ok nor error, and no code"),
        ("200)", '"XX"', "no code in it"),
    ),
    "provider/protocol/reports": (
        ("_KEYS)", "6", "a size by choice, far beyond one character"),
        ("64)", "65)", "cut once more, to 64, where it is kept"),
        ("content_type: str", "XX", "no kind that is known, and so the body tells"),
        ("body.lstrip", "XX", "no body of JSON begins so"),
        (
            "content_type[:300]",
            "",
            "a size by choice; and a header has no line ends where it comes from a server",
        ),
        ("isinstance(name, str) and", "isinstance(name, str) or", "a part with a name has bytes"),
    ),
    "provider/protocol/requests": (
        ('"ani")', "XX", "a word in a sentence for developers"),
        ('else ""', "XX", "neither is a number"),
    ),
    "provider/protocol/daily_rows": (
        ("secret", "XX", "without a key nothing is masked: no id has these letters"),
        ("is_usual, cached", "True", "nothing cached is enough for the other way"),
        ('report.number or ""', "XX", "neither is a number"),
    ),
    "provider/protocol/fields": (
        ("read_text(value, length + 1)", "length + 2", "either is more than is taken"),
        ("_read_figure(value, 24)", "", "a size by choice, longer than any amount"),
        (
            "_read_figure(value, 32)",
            "",
            "a size by choice, longer than any amount or date; and XX is neither",
        ),
        (
            "_read_figure(value, 16)",
            "",
            "a size by choice, longer than any duration; and XX is none",
        ),
    ),
    "calls/placing": (
        ("@sensitive", "", "secrets/ notices it"),
        ("logger.error(", "", "a line of the log"),
        ("force_insert=True", "", "for speed alone"),
        (
            'report.kind != "call"',
            "",
            "what is let in here by mistake changes nothing, and goes the other way",
        ),
        (
            "told = CallRequest(pk=call_id",
            "provider_id=report.id,)",
            "no channel is not the SMS either",
        ),
        ("base.rstrip('/')", "XX", "no address ends in X"),
        ("received_at=now", "", "its default is the same moment, by some microseconds"),
        ('call.claim("", ', '"XX"', "the digest goes when the row is refused, a moment later"),
        (
            "return False",
            "return ",
            "somebody else moved the row between claim and write: a race that no test makes",
        ),
    ),
    "calls/matching": (
        ("return {}", "return None", "neither changes anything"),
        ("received_at=timezone.now()", "", "its default is the same moment, by some microseconds"),
    ),
    "verifications/sending": (
        ("@sensitive", "", "secrets/ notices it"),
        ("@_needs_database", "", "faults/ notices it: see the promises"),
        ("created_at=now", "", "its default is the same moment, by some microseconds"),
        ("force_insert=True", "", "for speed alone"),
        ("update_fields", "save()", "for speed alone"),
        (
            "leaves_to_workers",
            "",
            "api/ notices it: it tells the state of a call that was placed meanwhile",
        ),
        ("known_calls = [call]", "pass", "for speed alone"),
        (
            "_check_open(verification)",
            "pass",
            "resend looks before and behind its count: one does without a race",
        ),
        ("another purpose", "XX", "a sentence for developers"),
        ("from None", "pass", "no verification has no id, so that the same is raised"),
        ("total_seconds()), 1)", ", 0)", "within a second of the end alone"),
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
